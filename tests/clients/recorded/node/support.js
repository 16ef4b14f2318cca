// What the scripts of this folder share: the endpoint, what is asked, and how a script says what it does.

const root = process.env.CHATCOMPAT_URL;

export const url = `${root}/v1`;
export const model = "caicaini/auto";
export const key = "cai_api_test";
export const SYSTEM = "You are concise.";
export const USER = "Say hello to Zo\u00eb \u{1f44b}";
export const USE_TOOLS = "Use get_weather and get_time.";
export const LAST_USER = "And once more, please.";
export const DESCRIBE = "Describe this.";
export const JSON_PROMPT = "Answer with a JSON object.";
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";
export const PIXEL_URL = `data:image/png;base64,${PIXEL}`;
export const IMAGE_URL = "https://example.com/bridge.jpg";
export const PDF =
  "JVBERi0xLjEKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbXS9Db3Vu" +
  "dCAwPj5lbmRvYmoKdHJhaWxlcjw8L1Jvb3QgMSAwIFI+PgolJUVPRgo=";
export const PDF_URL = `data:application/pdf;base64,${PDF}`;

export const HELLO = [
  { role: "system", content: SYSTEM },
  { role: "user", content: USER },
];
export const HISTORY = [
  ...HELLO,
  { role: "assistant", content: "Hello Zo\u00eb!" },
  { role: "user", content: LAST_USER },
];
const schema = (properties) => ({ type: "object", properties, required: Object.keys(properties) });
export const TOOLS = [
  ["get_weather", "Get the weather of a city.", schema({ city: { type: "string" }, days: { type: "integer" } })],
  ["get_time", "Get the time in a zone.", schema({ zone: { type: "string", enum: ["utc", "local"] } })],
].map(([name, description, parameters]) => ({ type: "function", function: { name, description, parameters } }));

/** An answer in steps, as a class of zod. */
export const answerOf = (z) =>
  z.object({
    steps: z.array(z.object({ explanation: z.string(), output: z.number().int() })),
    score: z.number().int(),
    kind: z.enum(["short", "long"]),
    note: z.string().nullable(),
  });

/** All that a stream gives. */
export async function all(stream) {
  const found = [];
  for await (const piece of stream) found.push(piece);
  return found;
}

/** Do each scenario, and print its name and outcome. */
export async function run(scenarios) {
  for (const [name, scenario] of Object.entries(scenarios)) {
    await fetch(`${root}/scenario`, { method: "POST", body: name });
    try {
      await scenario();
      console.log(`ok ${name}`);
    } catch (error) {
      console.log(`not ok ${name}\n`, error);
    }
  }
  process.exit(0);
}
