/** What clients may send. Checked by shape here; whether it is allowed is the gateway's to say. */
import { z } from 'zod';
import type { ErrorCode } from './codes.js';

/** Echoed in the answer, as it came. */
export type CommandId = string | number;

const id = z.union([z.string().max(128), z.number()]).optional();
const topics = {
  id,
  stream: z.string().max(64).optional(),
  symbol: z.string().max(256).optional(),
  symbols: z.array(z.string().max(256)).max(100_000).optional(),
  channels: z.array(z.string().max(256)).max(1000).optional(),
};
const since = z.object({ epoch: z.string().max(256), seq: z.number() });

const schemas = {
  subscribe: z.object({
    action: z.literal('subscribe'),
    ...topics,
    class: z.string().max(64).optional(),
    depth: z.number().optional(),
    since: since.optional(),
  }),
  unsubscribe: z.object({
    action: z.literal('unsubscribe'),
    ...topics,
    class: z.string().max(64).optional(),
    depth: z.number().optional(),
    since: since.optional(),
  }),
  resync: z.object({ action: z.literal('resync'), ...topics }),
  ping: z.object({ action: z.literal('ping'), id }),
} as const;

export type SubscribeCommand = z.infer<typeof schemas.subscribe>;
export type UnsubscribeCommand = z.infer<typeof schemas.unsubscribe>;
export type ResyncCommand = z.infer<typeof schemas.resync>;
export type PingCommand = z.infer<typeof schemas.ping>;
export type Command = SubscribeCommand | UnsubscribeCommand | ResyncCommand | PingCommand;

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
  if (!Object.hasOwn(schemas, action)) {
    const known = Object.keys(schemas).join(', ');
    return { ok: false, id: echoed, code: 'unknown_action', message: `unknown action; known: ${known}` };
  }
  const parsed = schemas[action as keyof typeof schemas].safeParse(value);
  if (parsed.success) return { ok: true, command: parsed.data };
  const issue = parsed.error.issues[0];
  const message = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`;
  return { ok: false, id: echoed, code: 'invalid_message', message };
}
