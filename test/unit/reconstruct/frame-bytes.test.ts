/** R70 The frames of a long reconstruction, which fill the ring that they are taken from many times. */
import { expect, it } from 'vitest';
import { newOrigin, setEpoch } from '../../../src/encoder/frame-encoder.js';
import { FrameBytes } from '../../../src/reconstruct/frame-bytes.js';
import { laneOf } from '../../../src/threads/lanes.js';
import { FrameKind } from '../../../src/threads/ring.js';

const LANE = laneOf(0, 0, 'json', false);
const FRAMES = 60_000;
/** Their sizes differ, so that the ring ends within a frame. */
const SIZES = 700;

it('R70 are found where the ring begins again', () => {
  const frames = new FrameBytes();
  const origin = newOrigin(0);
  setEpoch(origin, 'e');
  let bytes = 0;
  for (let seq = 1; seq <= FRAMES; seq++) {
    const message = { seq, text: 'x'.repeat(seq % SIZES) };
    const frame = frames.of(LANE, (encoder, masks) => encoder.emit(FrameKind.event, 0, 0, masks, origin, message));
    if (frame.toString() !== JSON.stringify(message)) expect(frame.toString()).toBe(JSON.stringify(message));
    bytes += frame.length;
  }
  expect(bytes).toBeGreaterThan(FRAMES * (SIZES / 2));
});
