/**
 * Client commands as zod schemas, for documents and tests. A gateway uses {@link parseCommand} instead, which accepts
 * the same and needs no zod; a test checks that they agree.
 */
import { z } from 'zod';
import { type CommandId, isCommandId, NAME_LENGTH_MAX, NAMES_MAX, TOKEN_LENGTH_MAX } from './command-limits.js';

const id = z.custom<CommandId>(isCommandId).optional();
const name = z.string().max(NAME_LENGTH_MAX);
/** A client's position in a topic. */
const position = z.object({ epoch: name, seq: z.number() });

/** The topics of a command: a stream and names in it. Each stream also has its own word for its names. */
const topics = {
  id,
  stream: z.string().max(64).optional(),
  symbol: name.optional(),
  symbols: z.array(name).max(NAMES_MAX).optional(),
  channel: name.optional(),
  channels: z.array(name).max(1000).optional(),
  room: name.optional(),
  rooms: z.array(name).max(1000).optional(),
};
/** Members of a subscription, which an `unsubscribe` may repeat. */
const subscription = {
  ...topics,
  class: z.string().max(64).optional(),
  depth: z.number().optional(),
  since: position.optional(),
};

/** Each action's schema; the AsyncAPI document is checked against them. */
export const commandSchemas = {
  subscribe: z.object({ action: z.literal('subscribe'), ...subscription }),
  unsubscribe: z.object({ action: z.literal('unsubscribe'), ...subscription }),
  resync: z.object({ action: z.literal('resync'), ...topics }),
  publish: z.object({
    action: z.literal('publish'),
    id,
    stream: z.string().max(64),
    room: name,
    data: z.unknown(),
  }),
  auth: z.object({ action: z.literal('auth'), id, token: z.string().max(TOKEN_LENGTH_MAX) }),
  ping: z.object({ action: z.literal('ping'), id }),
} as const;
