/** The latest messages of a connection, as they came. */

const FRAMES_KEPT = 30;
/** Longest text of a frame that is kept, in characters; a snapshot has many more. */
const SHOWN_MAX = 4_000;
/** Bytes of a binary frame that are shown. */
const HEX_MAX = 256;

/** How a heartbeat begins. */
const HEARTBEAT_JSON = '{"type":"heartbeat"';
/** The same as text of single bytes, behind the header of the map. */
const HEARTBEAT_MSGPACK = '\xa4type\xa9heartbeat';

interface Frame {
  readonly at: Date;
  readonly size: number;
  readonly text: string;
}

export class FrameRing {
  /** Newest first. */
  readonly frames: Frame[] = [];

  /** @returns the size of the message in bytes */
  add(data: string | ArrayBuffer): number {
    const size = typeof data === 'string' ? utf8Length(data) : data.byteLength;
    this.frames.unshift({
      at: new Date(),
      size,
      text: typeof data === 'string' ? data.slice(0, SHOWN_MAX) : hex(data),
    });
    if (this.frames.length > FRAMES_KEPT) this.frames.pop();
    return size;
  }
}

/** Bytes of a text in UTF-8. */
function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7f) length++;
    // Each half of a pair counts two.
    if (unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff)) length++;
  }
  return length;
}

function hex(data: ArrayBuffer): string {
  const shown = new Uint8Array(data, 0, Math.min(data.byteLength, HEX_MAX));
  const text = Array.from(shown, byte => byte.toString(16).padStart(2, '0')).join(' ');
  return data.byteLength > HEX_MAX ? `${text} …` : text;
}

/** Whether a message is a heartbeat: an idle topic's position, and nothing that changed. */
export function isHeartbeat(data: string | ArrayBuffer): boolean {
  if (typeof data === 'string') return data.startsWith(HEARTBEAT_JSON);
  if (data.byteLength <= HEARTBEAT_MSGPACK.length) return false;
  const head = new Uint8Array(data, 1, HEARTBEAT_MSGPACK.length);
  return head.every((byte, i) => byte === HEARTBEAT_MSGPACK.charCodeAt(i));
}
