import { beforeEach, describe, expect, it } from 'vitest';
import { COMMANDS_PER_TURN, CommandHandler } from '../../../../src/gateway/commands/command-handler.js';
import type { RoomPublishing } from '../../../../src/gateway/commands/room-publishing.js';
import type { TopicCommands } from '../../../../src/gateway/commands/topic-commands.js';
import type { WorkBudgets } from '../../../../src/gateway/limits/work-budgets.js';
import { BACKLOG_MAX } from '../../../../src/gateway/model/command-backlog.js';
import type { Session } from '../../../../src/gateway/model/session.js';
import type { Reauthentication } from '../../../../src/gateway/sessions/reauthentication.js';
import type { Replies } from '../../../../src/gateway/sessions/replies.js';
import { newSession } from '../../../support/new-session.js';
import { newWorkBudgets } from '../../../support/work-budgets.js';

const nextTurn = () => new Promise(resolve => setImmediate(resolve));

/** Units a second that a connection may cause: more than any test sends. */
const RATE = 1_000_000_000;

describe('commands that a client sends at once', () => {
  let served: string[];
  let refused: string[];
  let later: (() => void)[];
  let budgets: WorkBudgets;
  let handler: CommandHandler;
  let [one, other]: Session[] = [];

  beforeEach(() => {
    served = [];
    refused = [];
    later = [];
    budgets = newWorkBudgets(RATE);
    one = newSession({ id: 1, sub: 'one', format: 'json', tier: 'retail' });
    other = newSession({ id: 2, sub: 'other', format: 'json', tier: 'retail' });
    const replies: Pick<Replies, 'send' | 'fail' | 'rateLimited'> = {
      send: (session, id) => served.push(`${session === one ? 'one' : 'other'} ${id}`),
      fail: (_, __, code) => refused.push(code),
      rateLimited: () => refused.push('rate_limited'),
    };
    handler = new CommandHandler({
      topics: {} as TopicCommands,
      rooms: {} as RoomPublishing,
      reauthentication: {} as Reauthentication,
      replies: replies as Replies,
      turns: { action: '', later: (session, serve) => later.push(() => serve(session)) },
      budgets,
      namesMax: 10,
      onFault: (what, cause) => expect.unreachable(`${what}: ${cause}`),
    });
  });

  const send = (session: Session | undefined, id: number): void => {
    const bytes = new TextEncoder().encode(JSON.stringify({ action: 'ping', id }));
    handler.receive(session as Session, bytes.buffer as ArrayBuffer, false);
  };

  /** Runs what waits for a turn, until nothing does. */
  const serveAll = async (): Promise<void> => {
    for (let turn = later.shift(); turn !== undefined; turn = later.shift()) {
      turn();
      await nextTurn();
    }
  };

  const ids = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `one ${from + i}`);

  it('J7 R40a are served a few a turn, and what others send is not behind them', async () => {
    for (let id = 0; id < 500; id++) send(one, id);
    send(other, 1);
    expect(served).toEqual([...ids(0, COMMANDS_PER_TURN), 'other 1']);
    await serveAll();
    expect(served.filter(line => line.startsWith('one'))).toEqual(ids(0, 500));
    expect(refused).toEqual([]);
  });

  it('R41 keep their order with those that follow while they wait', async () => {
    for (let id = 0; id < 50; id++) send(one, id);
    await nextTurn();
    for (let id = 50; id < 60; id++) send(one, id);
    await serveAll();
    for (let id = 60; id < 70; id++) send(one, id);
    expect(served).toEqual(ids(0, 70));
  });

  it('R41 have as many places as a client may send in a second, and beyond them are refused', () => {
    for (let id = 0; id < COMMANDS_PER_TURN + BACKLOG_MAX + 3; id++) send(one, id);
    expect(refused).toEqual(['rate_limited', 'rate_limited', 'rate_limited']);
    expect(BACKLOG_MAX).toBeGreaterThanOrEqual(1000);
  });

  it('J2 R40a of a session that owes much wait for their turn, and so does what follows', async () => {
    if (one !== undefined) budgets.charge(one, 2 * RATE);
    send(one, 0);
    send(one, 1);
    send(other, 1);
    expect(served).toEqual(['other 1']);
    await serveAll();
    expect(served).toEqual(['other 1', 'one 0', 'one 1']);
  });

  it('are all served at once by the turn when they are few', async () => {
    for (let turn = 0; turn < 5; turn++) {
      for (let i = 0; i < COMMANDS_PER_TURN; i++) send(one, turn * COMMANDS_PER_TURN + i);
      await nextTurn();
    }
    expect(later).toEqual([]);
    expect(served).toEqual(ids(0, 5 * COMMANDS_PER_TURN));
  });
});
