import { beforeEach, describe, expect, it } from 'vitest';
import { compileEntitlements } from '../../../../src/auth/credential.js';
import type { SymbolLookup } from '../../../../src/gateway/commands/symbol-lookup.js';
import { TopicCommands } from '../../../../src/gateway/commands/topic-commands.js';
import type { RequestedTopic, Session, Socket } from '../../../../src/gateway/model/session.js';
import type { Replies } from '../../../../src/gateway/sessions/replies.js';
import type { Subscriptions } from '../../../../src/gateway/subscriptions/subscriptions.js';
import { newCredential, newSession } from '../../../support/new-session.js';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `S${i}`);

describe('a command of many topics', () => {
  let did: string[];
  let later: (() => void)[];
  let session: Session;
  let topics: TopicCommands;

  beforeEach(() => {
    did = [];
    later = [];
    session = newSession({ id: 1, sub: 'alice', format: 'json', tier: 'institutional' });
    session.open({ getBufferedAmount: () => 0 } as unknown as Socket);
    const subscriptions: Pick<Subscriptions, 'subscribe' | 'unsubscribe' | 'resync'> = {
      subscribe: (_, requested: readonly RequestedTopic[]) => did.push(`subscribe ${requested.length}`),
      unsubscribe: () => did.push('unsubscribe') > 0,
      resync: (_, some) => {
        did.push(`resync ${some.length}`);
        return some.filter(topic => topic.endsWith(':S0') || topic.endsWith(':S2'));
      },
    };
    const replies: Pick<Replies, 'send' | 'fail'> = {
      send: (_, id, { type, code, symbols }) =>
        did.push(type === 'error' ? `${code} ${id}: ${symbols}` : `${type} ${id}`),
      fail: (_, id, code, message) => did.push(`${code} ${id}: ${message}`),
    };
    topics = new TopicCommands({
      subscriptions: subscriptions as Subscriptions,
      symbols: { unknown: () => [] } as unknown as SymbolLookup,
      replies: replies as Replies,
      use: { begin: () => undefined },
      subscriptionsMax: 10,
      turns: { later: (of, serve) => later.push(() => serve(of)) },
      topicsPerTurn: 2,
    });
  });

  const turn = (): void => later.shift()?.();

  it('J2 R40a is answered at once, and serves a few topics a turn', async () => {
    const handled = topics.subscribe(session, { action: 'subscribe', id: 1, stream: 'depth', symbols: names(5) });
    expect(did).toEqual(['subscribed 1', 'subscribe 2']);
    turn();
    turn();
    await handled;
    expect(did).toEqual(['subscribed 1', 'subscribe 2', 'subscribe 2', 'subscribe 1']);
    expect(later).toEqual([]);
  });

  it('J2 of quotes is served at once: they come in one snapshot', () => {
    expect(topics.subscribe(session, { action: 'subscribe', id: 1, stream: 'quotes', symbols: names(5) })).toBe(
      undefined,
    );
    expect(did).toEqual(['subscribed 1', 'subscribe 5']);
  });

  it('J1 R40a leaves a few topics a turn, and is answered once all are left', async () => {
    const handled = topics.unsubscribe(session, { action: 'unsubscribe', id: 2, stream: 'depth', symbols: names(3) });
    expect(did).toEqual(['unsubscribe', 'unsubscribe']);
    turn();
    await handled;
    expect(did).toEqual(['unsubscribe', 'unsubscribe', 'unsubscribe', 'unsubscribed 2']);
  });

  it('J3 R40a is sent again a few topics a turn, and names all that it lacks', async () => {
    const handled = topics.resync(session, { action: 'resync', id: 3, stream: 'depth', symbols: names(3) });
    turn();
    await handled;
    expect(did).toEqual(['resync 2', 'resync 1', expect.stringMatching(/^not_subscribed 3: .*S0.*S2/)]);
  });

  it('ends with its connection', async () => {
    const handled = topics.subscribe(session, { action: 'subscribe', id: 4, stream: 'depth', symbols: names(5) });
    session.close();
    turn();
    await handled;
    expect(did).toEqual(['subscribed 4', 'subscribe 2']);
  });

  it('R33 serves what the session may still have', async () => {
    const handled = topics.subscribe(session, { action: 'subscribe', id: 5, stream: 'depth', symbols: names(4) });
    const entitlements = ['depth:S0', 'depth:S1', 'depth:S2'];
    const credential = newCredential({ sub: 'alice', tier: 'institutional', entitlements });
    session.identity.replace(credential, compileEntitlements(credential), 0);
    turn();
    await handled;
    expect(did.slice(2)).toEqual([expect.stringMatching(/^forbidden 5: .*S3/), 'subscribe 1']);
  });
});
