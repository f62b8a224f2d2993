/**
 * Asks gateway threads on behalf of operators. A thread that hangs, starts or has ended does not answer: then the others
 * still do, in time, and the caller learns which one was silent.
 */
import type { AdminAnswer, AdminQuestion, AdminTopic, AdminTopics } from '../../threads/admin-messages.js';

const ANSWER_MS_MAX = 1_000;
/** Questions that a thread has not answered yet; further ones count as unanswered at once. */
const OPEN_MAX = 64;

interface ThreadQuestionsOptions {
  readonly workers: number;
  readonly post: (worker: number, question: AdminQuestion) => void;
  /** False for a thread that cannot answer. */
  readonly mayAsk: (worker: number) => boolean;
}

interface Open {
  readonly worker: number;
  readonly end: (answer: Answered<unknown> | undefined) => void;
}

/** In an object, because an answer may be undefined. */
interface Answered<Answer> {
  readonly worker: number;
  readonly answer: Answer;
}

/** What threads answered, and which did not. */
interface AllAnswers<Answer> {
  readonly answers: readonly Answered<Answer>[];
  readonly silent: readonly number[];
}

export class ThreadQuestions {
  readonly #options: ThreadQuestionsOptions;
  readonly #open = new Map<number, Open>();
  readonly #openOf: number[];
  #lastId = 0;

  constructor(options: ThreadQuestionsOptions) {
    this.#options = options;
    this.#openOf = new Array<number>(options.workers).fill(0);
  }

  get workers(): number {
    return this.#options.workers;
  }

  /** Resolves to undefined when the thread does not answer in time. */
  ask<Topic extends AdminTopic>(
    worker: number,
    about: Topic,
    ask: AdminTopics[Topic]['ask'],
    withinMs = ANSWER_MS_MAX,
  ): Promise<Answered<AdminTopics[Topic]['answer']> | undefined> {
    if (!this.#options.mayAsk(worker) || this.#openOfWorker(worker) >= OPEN_MAX) return Promise.resolve(undefined);
    const id = ++this.#lastId;
    return new Promise(resolve => {
      const end = (answered: Answered<unknown> | undefined) => {
        clearTimeout(late);
        this.#open.delete(id);
        // The answer to a question has its type (threads/admin-messages.ts).
        resolve(answered as Answered<AdminTopics[Topic]['answer']> | undefined);
      };
      // The question stays open for the thread: it will still read it.
      const late = setTimeout(() => end(undefined), withinMs);
      this.#open.set(id, { worker, end });
      this.#openOf[worker] = this.#openOfWorker(worker) + 1;
      this.#options.post(worker, { type: 'admin', id, about, ...ask } as unknown as AdminQuestion);
    });
  }

  /** Asks all threads at once. */
  async all<Topic extends AdminTopic>(
    about: Topic,
    ask: AdminTopics[Topic]['ask'],
    withinMs = ANSWER_MS_MAX,
  ): Promise<AllAnswers<AdminTopics[Topic]['answer']>> {
    const workers = Array.from({ length: this.#options.workers }, (_, worker) => worker);
    const answered = await Promise.all(workers.map(worker => this.ask(worker, about, ask, withinMs)));
    return {
      answers: answered.filter(one => one !== undefined),
      silent: workers.filter(worker => answered[worker] === undefined),
    };
  }

  answered(worker: number, { id, answer, hasFailed = false }: Omit<AdminAnswer, 'type'>): void {
    this.#openOf[worker] = Math.max(0, this.#openOfWorker(worker) - 1);
    const open = this.#open.get(id);
    if (open?.worker === worker) open.end(hasFailed ? undefined : { worker, answer });
  }

  /** The thread has ended, or is stuck: it answers nothing any more. */
  ended(worker: number): void {
    this.#openOf[worker] = 0;
    for (const open of [...this.#open.values()]) if (open.worker === worker) open.end(undefined);
  }

  #openOfWorker(worker: number): number {
    return this.#openOf[worker] ?? 0;
  }
}
