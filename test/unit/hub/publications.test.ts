import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  ANSWERS_MAX,
  PENDING_MAX,
  type Position,
  PUBLISH_TIMEOUT_MS,
  Publications,
} from '../../../src/hub/publications.js';

interface Sent {
  readonly subject: string;
  readonly id: string;
  readonly key: string;
  readonly resolve: (position: Position | undefined) => void;
  readonly reject: (cause: Error) => void;
}

const sent: Sent[] = [];
let publications: Publications;

beforeEach(() => {
  vi.useFakeTimers();
  sent.length = 0;
  publications = new Publications({
    origin: 'gw1',
    publish: (subject, _payload, id, key) =>
      new Promise((resolve, reject) => sent.push({ subject, id, key, resolve, reject })),
  });
});

afterEach(() => {
  vi.useRealTimers();
});

const publish = (key: string, subject = 'rooms.r1') =>
  publications.publish({ subject, payload: new Uint8Array([1]), key });

/** The nth message that was handed to the feed. */
function nth(n: number): Sent {
  const found = sent[n];
  if (found === undefined) throw new Error(`only ${sent.length} messages were handed to the feed`);
  return found;
}

describe('R26 publications of clients', () => {
  it('R26 are answered with the place that the feed’s store gives them', async () => {
    const answer = publish('a');
    nth(0).resolve({ epoch: 'js', seq: 7 });
    expect(await answer).toEqual({ epoch: 'js', seq: 7 });
  });

  it('R26 are answered with the place under which they come back', async () => {
    const answer = publish('a');
    nth(0).resolve(undefined);
    publications.arrived('gw1.999', { epoch: 'e', seq: 1 });
    publications.arrived(nth(0).id, { epoch: 'e', seq: 2 });
    expect(await answer).toEqual({ epoch: 'e', seq: 2 });
  });

  it('R26 may come back before the feed says that it took them', async () => {
    const answer = publish('a');
    publications.arrived(nth(0).id, { epoch: 'e', seq: 2 });
    nth(0).resolve(undefined);
    expect(await answer).toEqual({ epoch: 'e', seq: 2 });
  });

  it('R26 of one key are published once, and have one answer', async () => {
    const answers = [publish('a'), publish('a'), publish('b')];
    expect(sent.map(({ key }) => key)).toEqual(['a', 'b']);
    nth(0).resolve({ epoch: 'e', seq: 1 });
    nth(1).resolve({ epoch: 'e', seq: 2 });
    expect((await Promise.all(answers)).map(({ seq }) => seq)).toEqual([1, 1, 2]);
    expect((await publish('a')).seq).toBe(1);
    expect(sent).toHaveLength(2);
  });

  it('R26 without a key are all different', async () => {
    const answers = [publish(''), publish('')];
    nth(0).resolve({ epoch: 'e', seq: 1 });
    nth(1).resolve({ epoch: 'e', seq: 2 });
    expect((await Promise.all(answers)).map(({ seq }) => seq)).toEqual([1, 2]);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(2);
  });

  it('R26 that do not come back in time have failed, and may be tried again', async () => {
    const answer = publish('a');
    const failed = expect(answer).rejects.toThrow('did not come back in time');
    nth(0).resolve(undefined);
    await vi.advanceTimersByTimeAsync(PUBLISH_TIMEOUT_MS);
    await failed;
    const again = publish('a');
    nth(1).resolve({ epoch: 'e', seq: 3 });
    expect((await again).seq).toBe(3);
    // The first may come late; nobody waits for it any more.
    publications.arrived(nth(0).id, { epoch: 'e', seq: 9 });
    expect((await publish('a')).seq).toBe(3);
  });

  it('R26 that the feed refuses have failed, and may be tried again', async () => {
    const answer = publish('a');
    nth(0).reject(new Error('NATS cannot be reached'));
    await expect(answer).rejects.toThrow('NATS cannot be reached');
    void publish('a').catch(() => undefined);
    expect(sent).toHaveLength(2);
    expect(vi.getTimerCount()).toBe(1);
  });

  it('R26 are refused while too many are under way, and accepted again when one is answered', async () => {
    const answers = Array.from({ length: PENDING_MAX }, (_, i) => publish(`k${i}`));
    await expect(publish('one more')).rejects.toThrow('too many');
    nth(0).resolve({ epoch: 'e', seq: 1 });
    await answers[0];
    const accepted = publish('one more');
    nth(PENDING_MAX).resolve({ epoch: 'e', seq: 2 });
    expect((await accepted).seq).toBe(2);
    for (const answer of answers) answer.catch(() => undefined);
  });

  it('R26 answers are remembered up to a limit; the oldest are forgotten first', async () => {
    for (let i = 0; i <= ANSWERS_MAX; i++) {
      const answer = publish(`k${i}`);
      nth(i).resolve({ epoch: 'e', seq: i });
      await answer;
    }
    expect((await publish(`k${ANSWERS_MAX}`)).seq).toBe(ANSWERS_MAX);
    expect((await publish('k1')).seq).toBe(1);
    void publish('k0').catch(() => undefined);
    expect(sent).toHaveLength(ANSWERS_MAX + 2);
  });

  it('R26 the failure of one that was forgotten does not take the answer of its successor', async () => {
    const first = publish('k');
    for (let i = 0; i < ANSWERS_MAX; i++) {
      const answer = publish(`other ${i}`);
      nth(i + 1).resolve({ epoch: 'e', seq: i });
      await answer;
    }
    const second = publish('k');
    nth(ANSWERS_MAX + 1).resolve({ epoch: 'e', seq: 5 });
    await second;
    nth(0).reject(new Error('too late'));
    await expect(first).rejects.toThrow('too late');
    expect((await publish('k')).seq).toBe(5);
    expect(sent).toHaveLength(ANSWERS_MAX + 2);
  });
});
