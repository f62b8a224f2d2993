import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ThreadQuestions } from '../../../../src/gateway/supervision/thread-questions.js';
import type { AdminQuestion } from '../../../../src/threads/admin-messages.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function questionsFor(workers: number) {
  const posted: { worker: number; question: AdminQuestion }[] = [];
  const running = new Set(Array.from({ length: workers }, (_, worker) => worker));
  const questions = new ThreadQuestions({
    workers,
    post: (worker, question) => posted.push({ worker, question }),
    mayAsk: worker => running.has(worker),
  });
  return { questions, posted, running };
}

it('R61 tells answers that are undefined from none', async () => {
  const { questions, posted, running } = questionsFor(4);
  running.delete(3);
  const asked = questions.all('connection', { connection: 'x' });
  expect(posted.map(({ worker }) => worker)).toEqual([0, 1, 2]);
  questions.answered(0, { id: posted[0]?.question.id ?? 0, answer: undefined });
  questions.ended(1);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await asked).toEqual({ answers: [{ worker: 0, answer: undefined }], silent: [1, 2, 3] });
});

it('R61 takes no answer twice, late, or from another thread', async () => {
  const { questions, posted } = questionsFor(2);
  const first = questions.ask(0, 'subscribers', {}, 100);
  const { id = 0 } = posted[0]?.question ?? {};
  questions.answered(1, { id, answer: 'of another' });
  await vi.advanceTimersByTimeAsync(100);
  questions.answered(0, { id, answer: 'late' });
  expect(await first).toBeUndefined();
});

it('R61 does not pile up questions for a thread that answers none', async () => {
  const { questions, posted } = questionsFor(1);
  for (let i = 0; i < 200; i++) {
    const asked = questions.ask(0, 'subscribers', {}, 10);
    await vi.advanceTimersByTimeAsync(10);
    expect(await asked).toBeUndefined();
  }
  expect(posted).toHaveLength(64);
  // It has read one.
  questions.answered(0, { id: posted[0]?.question.id ?? 0, answer: undefined });
  const asked = questions.ask(0, 'subscribers', {});
  expect(posted).toHaveLength(65);
  questions.answered(0, { id: posted[64]?.question.id ?? 0, answer: 'now' });
  expect(await asked).toEqual({ worker: 0, answer: 'now' });
});

it('R61 counts a question as answered that its thread could not answer', async () => {
  const { questions, posted } = questionsFor(1);
  for (let i = 0; i < 200; i++) {
    const asked = questions.ask(0, 'subscribers', {});
    questions.answered(0, { id: posted.at(-1)?.question.id ?? 0, answer: undefined, hasFailed: true });
    expect(await asked).toBeUndefined();
  }
  expect(posted).toHaveLength(200);
});
