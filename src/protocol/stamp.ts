/**
 * `ts_sent`: the gateway's µs since the Unix epoch, the last member of every stamped frame. It has a fixed width in both
 * formats (16 digits before the closing brace; a float 64 at the end), so it can be set without encoding anything again.
 */

/** Stands for the time until the frame is sent: 16 digits, and in MessagePack a float 64 as it exceeds 32 bits. */
export const TS_SENT_PLACEHOLDER = 1_000_000_000_000_000;

const DIGITS = 16;
const ZERO = 0x30;
const FLOAT64 = 0xcb;
const float = new DataView(new ArrayBuffer(8));

/** Overwrites the placeholder at the end of `frame[start..end)`. Valid for times from 2001 to 2286. */
export function stampTsSent(frame: Uint8Array, end: number, isMsgpack: boolean, nowMicros: number): void {
  if (isMsgpack) {
    if (frame[end - 9] !== FLOAT64) return;
    float.setFloat64(0, Math.floor(nowMicros));
    for (let i = 0; i < 8; i++) frame[end - 8 + i] = float.getUint8(i);
    return;
  }
  let rest = Math.floor(nowMicros);
  for (let at = end - 2; at > end - 2 - DIGITS; at--) {
    const digit = rest % 10;
    frame[at] = ZERO + digit;
    rest = (rest - digit) / 10;
  }
}
