/** One connection of an attacker: opens, says its prelude, sends its messages in turn, and waits where it is told to. */
import { LoadSocket, type LoadSocketContext } from '../load/load-socket.js';
import { type AnswerCounts, AnswerInspector } from './answer-inspector.js';
import type { AttackPlan } from './messages.js';
import type { PreparedFrame } from './payloads.js';

/** More that the kernel has not taken, and nothing further is sent: the server reads no faster. */
const UNSENT_BYTES_MAX = 4 * 1024 * 1024;
const PRELUDE_TIMEOUT_MS = 5000;
/** How long a refusal that names no time is heeded: asking again at once would gain nothing. */
const REFUSED_PAUSE_MS = 20;
const POSITION = /"epoch":"([^"]+)","seq":(\d+)/;

/** What the connections of one attack share. */
export interface AttackShared {
  readonly plan: AttackPlan;
  readonly prelude: readonly PreparedFrame[];
  readonly messages: readonly PreparedFrame[];
  readonly context: LoadSocketContext;
  readonly counts: AnswerCounts;
}

export class AttackConnection {
  #isReady = false;
  #isOver = false;
  #unanswered = 0;
  #pausedUntilMs = 0;
  #next = 0;
  #position = { epoch: '', seq: 0 };
  #socket: LoadSocket | undefined;
  #onAnswer: () => void = () => undefined;
  readonly #index: number;
  readonly #shared: AttackShared;

  constructor(index: number, shared: AttackShared) {
    this.#index = index;
    this.#shared = shared;
  }

  /** @throws {Error} with the server's answer when the upgrade is refused */
  async open(): Promise<void> {
    const { plan, counts, context, prelude } = this.#shared;
    const path = plan.paths[this.#index % plan.paths.length] ?? '/ws';
    const localAddress = plan.addresses[this.#index % plan.addresses.length] ?? '127.0.0.1';
    const inspector = new AnswerInspector(counts, {
      answered: (code, retryAfterMs) => this.#answered(code, retryAfterMs),
      wantsText: plan.sinceBack === undefined ? undefined : text => this.#positioned(text),
    });
    const socket = new LoadSocket(this.#index, { path }, context, { inspector, localAddress });
    this.#socket = socket;
    this.#isOver = false;
    await socket.open();
    for (const frame of prelude) {
      if (this.#isOver) return;
      const answered = this.#answer();
      socket.write(frame({ n: 0, epoch: '', since: 0 }));
      await answered;
    }
    if (this.#isOver) return;
    if (plan.isStalled === true) socket.stall();
    this.#unanswered = 0;
    this.#isReady = true;
  }

  canSend(nowMs: number): boolean {
    const { unansweredMax = Number.POSITIVE_INFINITY } = this.#shared.plan;
    return (
      this.#isReady &&
      nowMs >= this.#pausedUntilMs &&
      this.#unanswered < unansweredMax &&
      (this.#socket?.unsentBytes ?? 0) < UNSENT_BYTES_MAX
    );
  }

  /** Sends the next message. @returns its bytes, frame included */
  send(n: number): number {
    const { messages, plan } = this.#shared;
    const frame = messages[this.#next % messages.length];
    if (frame === undefined) return 0;
    this.#next++;
    this.#unanswered++;
    const { epoch, seq } = this.#position;
    const bytes = frame({ n, epoch, since: Math.max(0, seq - (plan.sinceBack ?? 0)) });
    this.#socket?.write(bytes);
    return bytes.length;
  }

  /** The server has ended it. */
  lost(): void {
    this.#isReady = false;
    this.#isOver = true;
    this.#onAnswer();
  }

  end(): void {
    this.#socket?.destroy();
    this.lost();
  }

  /** The next answer, or that none comes: a refused prelude is no reason not to attack. */
  #answer(): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(resolve, PRELUDE_TIMEOUT_MS);
      this.#onAnswer = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #answered(code: string | undefined, retryAfterMs: number | undefined): void {
    this.#unanswered = Math.max(0, this.#unanswered - 1);
    this.#onAnswer();
    if (code === 'rate_limited') this.#pausedUntilMs = performance.now() + (retryAfterMs ?? REFUSED_PAUSE_MS);
  }

  #positioned(text: string): void {
    if (this.#position.epoch !== '') return;
    const [, epoch = '', seq = ''] = POSITION.exec(text) ?? [];
    this.#position = { epoch, seq: Number(seq) };
  }
}
