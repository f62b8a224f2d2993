/** The programs in Python that publish content and read it back: each takes lines and answers with lines. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { foreignPython } from '../foreign/python.js';
import { until } from '../until.js';

const ANSWER_TIMEOUT_MS = 30_000;
/** In place of a line's number. */
const ENDED = -1;

const contentProgram = (file: string) => fileURLToPath(new URL(file, import.meta.url));

/** Lines are handed on as they are: numbers in them may have more digits than JavaScript holds. */
export class LineProgram {
  readonly lines: string[] = [];
  /** What it wrote to standard error. */
  complaint = '';
  readonly #child: ChildProcess;
  #taken = 0;
  /** It has ended, and all that it said is read. */
  #isClosed = false;

  /** @param file in this folder, or a path */
  constructor(file: string, args: readonly string[]) {
    const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
    this.#child = spawn(foreignPython(), [contentProgram(file), ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', line => this.lines.push(line));
    this.#child.once('close', () => {
      this.#isClosed = true;
    });
    this.#child.stderr?.on('data', text => {
      this.complaint += text;
    });
  }

  tell(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** The lines that follow those answered before, up to the one that `isLast`. */
  async answer(isLast: (line: string) => boolean = () => true): Promise<string[]> {
    const end = await until(
      () => {
        const at = this.lines.findIndex((line, i) => i >= this.#taken && isLast(line));
        return at >= 0 ? at + 1 : this.#isClosed ? ENDED : 0;
      },
      ANSWER_TIMEOUT_MS,
      `an answer of ${this.#child.spawnargs.join(' ').slice(0, 300)}`,
    );
    if (end === ENDED) throw new Error(`it ended before it answered: ${this.complaint}`);
    const answer = this.lines.slice(this.#taken, end);
    this.#taken = end;
    return answer;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise(resolve => this.#child.once('exit', resolve));
    this.#child.kill();
    await exited;
  }
}
