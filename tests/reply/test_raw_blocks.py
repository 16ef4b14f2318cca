"""Blocks that are assembled from their deltas."""

from msgspec import Raw

from chatcompat.reply.raw_blocks import GrowingBlock


def test_a_block_with_empty_deltas_stays_as_it_is() -> None:
    block = GrowingBlock(Raw(b'{"type": "x"}'))
    block.add_input("")
    assert bytes(block.built()) == b'{"type": "x"}'
