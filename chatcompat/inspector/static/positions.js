// Where each value of a JSON text is: its first and last line, by its path, such as `messages[0].content`.

export function positionsIn(text) {
  const found = new Map();
  let at = 0;
  let line = 0;

  const skip = () => {
    for (; at < text.length && " \t\r\n".includes(text[at]); at += 1) if (text[at] === "\n") line += 1;
  };

  const string = () => {
    const start = at;
    for (at += 1; at < text.length && text[at] !== '"'; at += 1) {
      if (text[at] === "\\") at += 1;
      if (text[at] === "\n") throw new SyntaxError("a line end in a string");
    }
    at += 1;
    return text.slice(start, at);
  };

  const value = (path, first) => {
    skip();
    if (text[at] === "{" || text[at] === "[") items(path, text[at] === "[");
    else if (text[at] === '"') string();
    else {
      const start = at;
      while (at < text.length && !",]} \t\r\n".includes(text[at])) at += 1;
      if (at === start) throw new SyntaxError("no value");
    }
    found.set(path, [first ?? line, line]);
  };

  const items = (path, isList) => {
    at += 1;
    for (let index = 0; ; index += 1) {
      skip();
      if (text[at] === (isList ? "]" : "}") || at >= text.length) break;
      const first = line;
      let name = `[${index}]`;
      if (!isList) {
        const key = JSON.parse(string());
        name = path ? `.${key}` : key;
        skip();
        at += 1; // the colon
      }
      value(path + name, first);
      skip();
      if (text[at] === ",") at += 1;
    }
    at += 1;
  };

  try {
    value("", 0);
  } catch {
    // Not complete yet. What was found so far still holds.
  }
  return found;
}

export function nearest(positions, path) {
  for (let end = path.length; end > 0; end = Math.max(path.lastIndexOf(".", end - 1), path.lastIndexOf("[", end - 1))) {
    const found = positions.get(path.slice(0, end));
    if (found) return found;
  }
  return null;
}
