/** The messages of both connections: the latest as they came, and how many bytes each format takes. */
import type { Format } from '../../protocol/view-options.js';
import { byId, element, setText } from '../dom.js';
import { bytes, count, percent, timeOfDay } from '../format.js';
import { FrameLines } from '../frame-lines.js';
import { FrameRing, isHeartbeat } from '../frame-ring.js';

/** Redrawn this often: a reader cannot follow single frames. */
const DRAW_MS = 250;
/** Both connections have opened this long ago: their snapshots are not counted. */
const SETTLE_MS = 1_500;
/** Rates are averages over this many seconds. */
const RATE_SECONDS = 5;

/** What one connection received since both settled. */
class Tally {
  readonly ring = new FrameRing();
  messages = 0;
  bytes = 0;
  /** `bytes` at the end of each of the last seconds. */
  readonly seconds: number[] = [];

  reset(): void {
    this.messages = 0;
    this.bytes = 0;
    this.seconds.length = 0;
  }

  get bytesPerSecond(): number {
    const first = this.seconds[0] ?? 0;
    return this.seconds.length < 2 ? Number.NaN : (this.bytes - first) / (this.seconds.length - 1);
  }
}

const NAMES: Readonly<Record<Format, string>> = { json: 'JSON', msgpack: 'MessagePack' };
const FORMATS = ['json', 'msgpack'] as const;

export class Wire {
  readonly #tallies = { json: new Tally(), msgpack: new Tally() } as const;
  readonly #isOpen = { json: false, msgpack: false };
  readonly #list = byId('wire', HTMLElement);
  readonly #lines = new FrameLines(this.#list);
  readonly #cells = new Map<Format, { readonly bar: HTMLElement; readonly figures: readonly Element[] }>();
  #shown: Format = 'json';
  #isPaused = false;
  #countsFromMs = Number.POSITIVE_INFINITY;
  #since: Date | undefined;

  constructor(body: HTMLTableSectionElement) {
    for (const format of FORMATS) this.#addFormat(body, format);
    for (const format of FORMATS) {
      byId(`wire-${format}`, HTMLButtonElement).addEventListener('click', () => this.#show(format));
    }
    const pause = byId('wire-pause', HTMLButtonElement);
    pause.addEventListener('click', () => {
      this.#isPaused = !this.#isPaused;
      pause.setAttribute('aria-pressed', String(this.#isPaused));
      this.#list.dataset.paused = String(this.#isPaused);
    });
    setInterval(() => this.#drawFrames(), DRAW_MS);
    setInterval(() => this.#second(), 1_000);
  }

  /** A message arrived. In a calm market heartbeats would hide all else. */
  frame(format: Format, data: string | ArrayBuffer): void {
    if (isHeartbeat(data)) return;
    const tally = this.#tallies[format];
    const size = tally.ring.add(data);
    if (performance.now() >= this.#countsFromMs) {
      this.#since ??= new Date();
      tally.messages++;
      tally.bytes += size;
    }
  }

  /** A connection opened or was lost: what both receive is compared from the time that both are open. */
  setOpen(format: Format, isOpen: boolean): void {
    if (this.#isOpen[format] === isOpen) return;
    this.#isOpen[format] = isOpen;
    for (const name of FORMATS) this.#tallies[name].reset();
    this.#since = undefined;
    const areOpen = FORMATS.every(name => this.#isOpen[name]);
    this.#countsFromMs = areOpen ? performance.now() + SETTLE_MS : Number.POSITIVE_INFINITY;
  }

  #addFormat(body: HTMLTableSectionElement, format: Format): void {
    const bar = element('i', { class: 'share' });
    const name = element('td', {}, element('span', { text: NAMES[format] }), bar);
    const figures = Array.from({ length: 3 }, () => element('td', { class: 'num', text: '–' }));
    body.append(element('tr', {}, name, ...figures));
    this.#cells.set(format, { bar, figures });
  }

  #show(format: Format): void {
    this.#shown = format;
    for (const name of FORMATS) {
      byId(`wire-${name}`, HTMLButtonElement).setAttribute('aria-pressed', String(name === format));
    }
    this.#drawFrames(true);
  }

  #drawFrames(isForced = false): void {
    if (this.#isPaused && !isForced) return;
    this.#lines.show(this.#tallies[this.#shown].ring);
  }

  #second(): void {
    const { json, msgpack } = this.#tallies;
    const averages = FORMATS.map(name => this.#tallies[name].bytes / this.#tallies[name].messages);
    const largest = Math.max(...averages.map(average => average || 0), 1);
    FORMATS.forEach((name, i) => {
      const tally = this.#tallies[name];
      const cells = this.#cells.get(name);
      if (this.#since !== undefined) tally.seconds.push(tally.bytes);
      if (tally.seconds.length > RATE_SECONDS + 1) tally.seconds.shift();
      const average = averages[i] ?? Number.NaN;
      const figures = [`${count(Math.round(average))} B`, `${bytes(tally.bytesPerSecond)}/s`, bytes(tally.bytes)];
      cells?.figures.forEach((cell, at) => {
        setText(cell, tally.messages === 0 ? '–' : (figures[at] ?? ''));
      });
      if (cells !== undefined) cells.bar.style.width = `${(100 * (average || 0)) / largest}%`;
    });
    setText(
      byId('wire-note', HTMLElement),
      `${count(json.messages + msgpack.messages)} messages on two connections, without heartbeats`,
    );
    const saved = 1 - msgpack.bytes / msgpack.messages / (json.bytes / json.messages);
    setText(byId('formats-note', HTMLElement), this.#since === undefined ? '' : `since ${timeOfDay(this.#since)}`);
    setText(
      byId('formats-about', HTMLElement),
      Number.isFinite(saved)
        ? `The same topics over two connections. MessagePack saves ${percent(saved)} of the payload here.`
        : 'The same topics over two connections.',
    );
  }
}
