/** What clients may send. Checked by shape here; whether it is allowed is the gateway's to say. */
import { z } from 'zod';
import type { ErrorCode } from './codes.js';

/** Echoed in the answer, as it came. */
export type CommandId = string | number;

/** Longest token of an `auth` command, in UTF-16 code units; what a verifier takes may be shorter. */
const TOKEN_LENGTH_MAX = 16_384;

const id = z.union([z.string().max(128), z.number()]).optional();
const name = z.string().max(256);
/** Where a client stands in a topic. */
const position = z.object({ epoch: name, seq: z.number() });

/** What a command is about: a stream and names in it. Each stream also has a word of its own for its names. */
const topics = {
  id,
  stream: z.string().max(64).optional(),
  symbol: name.optional(),
  symbols: z.array(name).max(100_000).optional(),
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

export type SubscribeCommand = z.infer<typeof commandSchemas.subscribe>;
export type UnsubscribeCommand = z.infer<typeof commandSchemas.unsubscribe>;
export type ResyncCommand = z.infer<typeof commandSchemas.resync>;
export type PublishCommand = z.infer<typeof commandSchemas.publish>;
export type AuthCommand = z.infer<typeof commandSchemas.auth>;
export type PingCommand = z.infer<typeof commandSchemas.ping>;
export type Command =
  | SubscribeCommand
  | UnsubscribeCommand
  | ResyncCommand
  | PublishCommand
  | AuthCommand
  | PingCommand;

export type CommandResult =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly id: CommandId | undefined; readonly code: ErrorCode; readonly message: string };

/** Checks a decoded client message. Members it does not know are ignored. */
export function parseCommand(value: unknown): CommandResult {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { ok: false, id: undefined, code: 'invalid_message', message: 'a command is an object' };
  }
  const given = id.safeParse((value as { id?: unknown }).id);
  const echoed = given.success ? given.data : undefined;
  const action = (value as { action?: unknown }).action;
  if (typeof action !== 'string') {
    return { ok: false, id: echoed, code: 'invalid_message', message: 'action: must be a string' };
  }
  if (!Object.hasOwn(commandSchemas, action)) {
    const known = Object.keys(commandSchemas).join(', ');
    return { ok: false, id: echoed, code: 'unknown_action', message: `unknown action; known: ${known}` };
  }
  const parsed = commandSchemas[action as keyof typeof commandSchemas].safeParse(value);
  if (parsed.success) return { ok: true, command: parsed.data };
  const issue = parsed.error.issues[0];
  const message = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`;
  return { ok: false, id: echoed, code: 'invalid_message', message };
}
