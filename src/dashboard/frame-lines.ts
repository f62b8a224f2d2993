import { element, setText } from './dom.js';
import { count, timeOfDay } from './format.js';
import type { FrameRing } from './frame-ring.js';

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
