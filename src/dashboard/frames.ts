/** The latest messages of a connection, as they came. */
import { element, setText } from './dom.js';
import { count, timeOfDay } from './format.js';

const FRAMES_KEPT = 30;
/** Longest text of a frame that is kept, in characters; a snapshot has many more. */
const SHOWN_MAX = 4_000;
/** Bytes of a binary frame that are shown. */
const HEX_MAX = 256;

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

interface Line {
  readonly head: Element;
  readonly text: Element;
  readonly element: HTMLElement;
}

/** A list that shows a ring. */
export class FrameLines {
  readonly #list: HTMLElement;
  readonly #lines: Line[] = [];

  constructor(list: HTMLElement) {
    this.#list = list;
    list.classList.add('frames');
  }

  show({ frames }: FrameRing): void {
    frames.forEach(({ at, size, text }, i) => {
      const line = this.#lines[i] ?? this.#add();
      line.element.hidden = false;
      setText(line.head, `${timeOfDay(at)}\n${count(size)} B`);
      setText(line.text, text);
    });
    for (const { element } of this.#lines.slice(frames.length)) element.hidden = true;
  }

  #add(): Line {
    const head = element('b');
    const text = element('code');
    const line = { head, text, element: element('li', {}, head, text) };
    this.#list.append(line.element);
    this.#lines.push(line);
    return line;
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
