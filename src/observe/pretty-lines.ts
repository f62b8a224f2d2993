/**
 * Log lines for a person at a terminal: `05:04:03.069 WARN  draining  reason=SIGTERM`. Times are UTC, as in the JSON.
 * Texts of a line may come from clients and publishers, so nothing in them can move the cursor or start another line.
 */
import type { DestinationStream } from 'pino';
import { printable, printableLines } from './terminal-text.js';

const LEVELS: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARN',
  50: 'ERROR',
  60: 'FATAL',
};
const LEVEL_WIDTH = 5;
/** Where the time of day is in an RFC 3339 text with milliseconds. */
const TIME_START = 11;
const TIME_END = 23;
/** A text that needs no quotes. */
const BARE = /^[^\s"=]+$/;
/** Members that the line shows in other places, or not at all. */
const SHOWN_ELSEWHERE: ReadonlySet<string> = new Set(['level', 'time', 'node', 'event', 'msg']);
const INDENT = '    ';

const RESET = '\u001b[0m';
const DIM = '\u001b[2m';
const COLOURS: Readonly<Record<string, string>> = {
  TRACE: DIM,
  DEBUG: DIM,
  INFO: '\u001b[32m',
  WARN: '\u001b[33m',
  ERROR: '\u001b[31m',
  FATAL: '\u001b[1;31m',
};

type Line = Readonly<Record<string, unknown>>;

export class PrettyLines implements DestinationStream {
  readonly #to: DestinationStream;
  readonly #hasColours: boolean;

  /** @param to takes the lines that are made of the JSON lines of a logger */
  constructor(to: DestinationStream, hasColours: boolean) {
    this.#to = to;
    this.#hasColours = hasColours;
  }

  /** Takes one JSON line; pino calls this. */
  write(json: string): void {
    this.#to.write(this.#pretty(JSON.parse(json) as Line));
  }

  #pretty(line: Line): string {
    const { level, time, msg } = line;
    const name = LEVELS[Number(level)] ?? String(level);
    const colour = COLOURS[name] ?? '';
    const timeText = this.#in(DIM, printable(String(time)).slice(TIME_START, TIME_END));
    const head = `${timeText} ${this.#in(colour, name.padEnd(LEVEL_WIDTH))} ${printable(String(msg ?? ''))}`;
    const fields: string[] = [];
    const blocks: string[] = [];
    for (const [key, value] of Object.entries(line)) {
      if (SHOWN_ELSEWHERE.has(key)) continue;
      const block = blockOf(key, value);
      if (block !== undefined) blocks.push(block);
      else fields.push(`${this.#in(DIM, `${printable(key)}=`)}${textOf(value)}`);
    }
    const first = fields.length === 0 ? head : `${head}  ${fields.join(' ')}`;
    return `${[first, ...blocks.map(indented)].join('\n')}\n`;
  }

  #in(colour: string, text: string): string {
    return this.#hasColours ? `${colour}${text}${RESET}` : text;
  }
}

/** What takes lines of its own: the stacks of an error and of those that it stands for, or a text of several lines. */
function blockOf(key: string, value: unknown): string | undefined {
  const stacks = stacksOf(value);
  if (stacks.length > 0) return stacks.join('\n');
  return typeof value === 'string' && value.includes('\n') ? `${key}:\n${value}` : undefined;
}

/** @param error as pino writes it */
function stacksOf(error: unknown): string[] {
  const { stack, aggregateErrors = [] } = Object(error) as { stack?: unknown; aggregateErrors?: readonly unknown[] };
  const own = typeof stack === 'string' && stack.includes('\n') ? [stack] : [];
  return Array.isArray(aggregateErrors) ? [...own, ...aggregateErrors.flatMap(stacksOf)] : own;
}

function indented(block: string): string {
  return printableLines(block.trimEnd()).replaceAll(/^/gm, INDENT);
}

function textOf(value: unknown): string {
  const isBare = typeof value === 'string' && BARE.test(value);
  return printable(isBare ? value : JSON.stringify(value));
}

/** Whether text for this stream may have colours (https://no-color.org). */
export function mayHaveColours(isTerminal: boolean, { NO_COLOR, TERM }: NodeJS.ProcessEnv): boolean {
  return isTerminal && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
}
