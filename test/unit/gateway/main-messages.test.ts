/** What a gateway thread does before it listens. */
import { describe, expect, it } from 'vitest';
import { MainMessages, type MainMessagesParts } from '../../../src/gateway/main-messages.js';
import type { ToWorker } from '../../../src/threads/thread-messages.js';

const PORT = 4711;
const FAILOVER: ToWorker = { type: 'status', feed: 'failover', since: '2026-01-01T00:00:00Z', load: 'shedding' };
const accept = (isAccepting: boolean): ToWorker => ({ type: 'accept', isAccepting });

/** A thread that is told this while it starts, and what it does, in order. */
function thread(...told: ToWorker[]) {
  const done: string[] = [];
  const apps = {
    isListening: false,
    closePort() {
      done.push('close port');
      apps.isListening = false;
    },
  };
  const topics = { isShedding: false };
  const mainMessages = new MainMessages({
    apps,
    topics,
    port: PORT,
    async listen(port: number) {
      done.push(`listen ${port}`);
      apps.isListening = true;
      return port;
    },
    server: {
      feedStatus: ({ feed }: { feed: string }) => done.push(feed),
      redirects: {
        drain: () => done.push('drain'),
        retire: async () => done.push('retire'),
        leave: () => false,
      },
    },
    post: () => {},
    finish: () => done.push('finish'),
  } as unknown as MainMessagesParts);
  return { mainMessages, done, topics, open: () => mainMessages.open(() => told.shift()) };
}

describe('R45 R46 a gateway thread that is replaced', () => {
  it('R45 knows how the feed is doing before it listens', async () => {
    const { done, topics, open } = thread(FAILOVER);
    expect(await open()).toBe(PORT);
    expect(done).toEqual(['failover', `listen ${PORT}`]);
    expect(topics.isShedding).toBe(true);
  });

  it('R45 R46 drains before it listens where its gateway does', async () => {
    const { done, open } = thread(FAILOVER, { type: 'drain' });
    await open();
    expect(done).toEqual(['failover', 'drain', `listen ${PORT}`]);
  });

  it('R45 R47 listens only once it is told to where descriptors are short', async () => {
    const { mainMessages, done, open } = thread(accept(false));
    // It is up all the same: others wait for it.
    expect(await open()).toBe(PORT);
    expect(done).toEqual([]);
    mainMessages.receive(accept(true));
    expect(done).toEqual([`listen ${PORT}`]);
    mainMessages.receive(accept(false));
    expect(done.at(-1)).toBe('close port');
  });

  it('R45 listens once where they are short no more by then', async () => {
    const { done, open } = thread(accept(false), accept(true));
    await open();
    expect(done).toEqual([`listen ${PORT}`]);
  });

  it.each(['retire', 'close'] as const)('R46 does not listen any more where it is told to %s', async type => {
    const { mainMessages, done, open } = thread({ type });
    await open();
    mainMessages.receive(accept(true));
    expect(done.filter(what => what.startsWith('listen'))).toEqual([]);
  });
});
