/** WebSocket frames byte by byte, right and wrong ones (RFC 6455 section 5.2). */

const FIN = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

interface FrameOptions {
  /** Last of its message; true when left out. */
  readonly fin?: boolean;
  /** The three reserved bits, 4 (RSV1) to 1 (RSV3). */
  readonly rsv?: number;
  /** Four bytes; zeros when left out, `undefined` for a frame that is not masked. */
  readonly mask?: readonly number[] | undefined;
  /** What the header says of the length; the payload's own when left out. */
  readonly length?: number | bigint;
  /** Bits that the length is written with; the fewest when left out. */
  readonly lengthBits?: 7 | 16 | 64;
}

/** One frame. */
export function frame(opcode: number, payload: string | Uint8Array = '', options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, length } = options;
  const mask = 'mask' in options ? options.mask : [0, 0, 0, 0];
  const bytes = Buffer.from(payload as Uint8Array);
  const size = BigInt(length ?? bytes.length);
  const bits = options.lengthBits ?? (size < LENGTH_16 ? 7 : size <= 0xffff ? 16 : 64);
  const extended = Buffer.alloc(bits === 7 ? 0 : bits / 8);
  if (bits === 16) extended.writeUInt16BE(Number(size));
  if (bits === 64) extended.writeBigUInt64BE(BigInt.asUintN(64, size));
  const short = bits === 7 ? Number(size) : bits === 16 ? LENGTH_16 : LENGTH_64;
  const head = Buffer.from([(fin ? FIN : 0) | (rsv << 4) | opcode, (mask === undefined ? 0 : MASKED) | short]);
  if (mask === undefined) return Buffer.concat([head, extended, bytes]);
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ (mask[i % 4] as number);
  return Buffer.concat([head, extended, Buffer.from(mask), bytes]);
}

/** A close frame. */
export function closeFrame(code: number, reason: string | Uint8Array = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return frame(OP.close, Buffer.concat([head, Buffer.from(reason as Uint8Array)]));
}

/** A message in as many frames as there are pieces. */
export function fragments(opcode: number, pieces: readonly (string | Uint8Array)[]): Buffer[] {
  return pieces.map((piece, i) => {
    return frame(i === 0 ? opcode : OP.continuation, piece, { fin: i === pieces.length - 1 });
  });
}

/** Every byte on its own. */
export function chopped(bytes: Buffer): Buffer[] {
  return Array.from(bytes, byte => Buffer.from([byte]));
}
