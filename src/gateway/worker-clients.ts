/** What is wired to what between the clients' credentials and commands and their subscriptions. */
import { livesOf, RevocationList } from '../auth/revocations.js';
import type { Config } from '../config/environment.js';
import { CloseCode } from '../protocol/close-code.js';
import { CommandHandler } from './commands/command-handler.js';
import { RoomPublishing } from './commands/room-publishing.js';
import { SymbolLookup } from './commands/symbol-lookup.js';
import { TopicCommands } from './commands/topic-commands.js';
import { ConnectionLimits } from './limits/connection-limits.js';
import { PublishedBytes } from './limits/published-bytes.js';
import { UseCounts } from './limits/use-counts.js';
import type { Session } from './model/session.js';
import type { Outbox } from './sending/outbox.js';
import { type Authentication, Credentials } from './sessions/credentials.js';
import { Keepalive } from './sessions/keepalive.js';
import { Reauthentication } from './sessions/reauthentication.js';
import { Replies } from './sessions/replies.js';
import { SimultaneousUse } from './sessions/simultaneous-use.js';
import { UserSlots } from './sessions/user-slots.js';
import { TierChanges } from './subscriptions/tier-changes.js';
import type { ServedTurns } from './supervision/served-turns.js';
import type { ThreadLife } from './thread-life.js';
import type { Ending, Streams } from './worker-streams.js';

export function newClients(
  { data, post, fault }: ThreadLife,
  { views, outbox, budgets, subscriptions, wake, receipts, records }: Streams,
  authentication: Authentication,
  sessions: ReadonlySet<Session>,
  turns: ServedTurns,
  ending: Ending,
) {
  const { config, worker } = data;
  const { subscriptionsMax, roomMessageBytesMax, roomBytesPerSecondMax, userLimitPolicy } = config.limits;
  const symbols = new SymbolLookup(config.symbols, post);
  const limits = new ConnectionLimits(config.limits, data);
  const revocations = new RevocationList({ lives: livesOf(config) });
  for (const revocation of data.revocations) revocations.take(revocation);
  const credentials = new Credentials(authentication, limits, revocations);
  const keepalive = newKeepalive(config, sessions, outbox, ending, session => {
    // Only a probe's answer says how far the client has received.
    if (records === undefined || !receipts.probe(session)) session.socket?.ping();
  });
  const userSlots = new UserSlots({ policy: userLimitPolicy, limits, sessions, post, end: ending.end });
  const use = new SimultaneousUse({
    counts: new UseCounts(config.products, data, limits.refused),
    post,
    end: ending.end,
  });
  const replies = new Replies(outbox);
  const published = new PublishedBytes(data.published, worker, roomBytesPerSecondMax);
  const rooms = new RoomPublishing({ replies, post, messageBytesMax: roomMessageBytesMax, published, budgets });
  const tierChanges = new TierChanges({ views, subscriptions, nowMs: () => performance.now(), wake });
  const topics = new TopicCommands({ subscriptions, symbols, replies, use, subscriptionsMax, turns });
  const reauthentication = new Reauthentication({
    credentials,
    subscriptions,
    tierChanges,
    limits,
    replies,
    onRenewed: session => {
      keepalive.renewed(session, session.credential.expiresAtMs);
      userSlots.taken(session);
      use.renewed(session);
      records?.authenticated(session);
    },
  });
  const commands = new CommandHandler({
    topics,
    rooms,
    reauthentication,
    replies,
    turns,
    budgets,
    namesMax: subscriptionsMax,
    records,
    onFault: fault,
  });
  return {
    symbols,
    limits,
    revocations,
    credentials,
    reauthentication,
    keepalive,
    userSlots,
    use,
    replies,
    rooms,
    tierChanges,
    topics,
    commands,
  };
}
export type Clients = ReturnType<typeof newClients>;

function newKeepalive(
  { times, auth }: Config,
  sessions: ReadonlySet<Session>,
  outbox: Outbox,
  ending: Ending,
  ping: (session: Session) => void,
): Keepalive<Session> {
  return new Keepalive<Session>({
    ...times,
    clockToleranceMs: auth.clockToleranceMs,
    nowMs: () => performance.now(),
    unixMs: () => Date.now(),
    sessions,
    ping,
    close: (session, code) => ending.end(session, code, code === CloseCode.idle ? 'idle' : 'token expired'),
    terminate: session => session.socket?.close(),
    warnExpiring: session => {
      const expiresAt = new Date(session.keepalive.expiresAtMs).toISOString();
      const message = 'credential expires soon; send "auth" to renew it';
      outbox.send(session, { type: 'warning', code: 'token_expiring', message, expires_at: expiresAt });
    },
  });
}
