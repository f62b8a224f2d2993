/**
 * `ts_sent`: the gateway's time in µs since the Unix epoch, the last member of every stamped frame. Its width is fixed
 * in both formats (16 digits before the closing brace; a uint 64 at the end), so it can be set without encoding the
 * frame again.
 */

/** Placeholder until the frame is sent: 16 digits, and in MessagePack a uint 64 because it exceeds 32 bits. */
export const TS_SENT_PLACEHOLDER = 1_000_000_000_000_000;

const DIGITS = 16;
const ZERO = 0x30;
const UINT64 = 0xcf;
/** Number of values of a byte. */
const BYTE_SIZE = 256;

/** Overwrites the placeholder at the end of `frame[start..end)`. Valid for times from 2001 to 2286. */
export function stampTsSent(frame: Uint8Array, end: number, isMsgpack: boolean, nowMicros: number): void {
  if (isMsgpack) {
    if (frame[end - 9] !== UINT64) return;
    let micros = Math.floor(nowMicros);
    for (let at = end - 1; at >= end - 8; at--) {
      const byte = micros % BYTE_SIZE;
      frame[at] = byte;
      micros = (micros - byte) / BYTE_SIZE;
    }
    return;
  }
  let rest = Math.floor(nowMicros);
  for (let at = end - 2; at > end - 2 - DIGITS; at--) {
    const digit = rest % 10;
    frame[at] = ZERO + digit;
    rest = (rest - digit) / 10;
  }
}
