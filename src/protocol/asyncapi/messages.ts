/** The document's messages: one per definition and one per HTTP status, all in one set of keys. */
import { z } from 'zod';
import { REFUSALS, type RefusalMeaning } from '../codes.js';
import { refusalBody } from '../frames/codes.js';
import { controlMessages, deadLetter, deadLetterHeaders, publisherMessages } from '../frames/publisher.js';
import { clientCommands, type MessageDefinition, serverFrames } from '../frames.js';
import { type JsonObject, jsonSchemas, reference } from './schemas.js';

const refusalKey = (status: string): string => `refused_${status}`;
export const FRAME_KEYS = Object.keys(serverFrames);
export const COMMAND_KEYS = Object.keys(clientCommands);
export const REFUSAL_KEYS = Object.keys(REFUSALS).map(refusalKey);

const upgradeHeaders = z.looseObject({
  Authorization: z.string().optional().describe('Bearer and a token'),
  'X-API-Key': z.string().optional(),
  'Sec-WebSocket-Protocol': z
    .string()
    .optional()
    .describe(
      'millrace.json or millrace.msgpack, instead of the query member format; with it, millrace.token.<jwt> as a credential, which is never confirmed',
    ),
  Origin: z.string().optional().describe('Sent by browsers: the gateway’s own, or one of ALLOWED_ORIGINS'),
});
const retryAfter = z.looseObject({ 'Retry-After': z.string().regex(/^\d+$/).describe('Seconds') });

const definitions: Readonly<Record<string, MessageDefinition>> = {
  ...serverFrames,
  ...clientCommands,
  ...publisherMessages,
  ...controlMessages,
};

interface MessageParts {
  /** For `components.messages`. */
  readonly messages: Readonly<Record<string, JsonObject>>;
  /** For `components.schemas`: what the messages refer to. */
  readonly schemas: Readonly<Record<string, JsonObject>>;
}

export function messageParts(): MessageParts {
  const { own, shared } = jsonSchemas({
    ...mapped(definitions, ({ schema }) => schema),
    ...Object.fromEntries(
      Object.entries(REFUSALS).map(([status, meaning]) => [refusalKey(status), refusalBody(meaning)]),
    ),
    dead_letter: deadLetter.schema,
    deadLetterHeaders,
    upgradeHeaders,
    retryAfter,
  });
  const messages: Record<string, JsonObject> = mapped(definitions, (definition, key) =>
    message(key, definition, own[key]),
  );
  const headers = reference('components', 'schemas', 'PublisherHeaders');
  for (const key of Object.keys(publisherMessages)) messages[key] = { ...messages[key], headers };
  for (const [status, meaning] of Object.entries(REFUSALS)) {
    const key = refusalKey(status);
    messages[key] = refusal(Number(status), meaning, own[key], own.retryAfter);
  }
  messages.upgrade_request = {
    name: 'upgrade_request',
    title: title('upgrade_request'),
    summary: 'Asks for a WebSocket connection',
    headers: own.upgradeHeaders,
    examples: [{ headers: { Authorization: 'Bearer <token>' } }],
  };
  messages.dead_letter = {
    ...message('dead_letter', deadLetter, own.dead_letter),
    contentType: 'application/octet-stream',
    headers: own.deadLetterHeaders,
    examples: [{ payload: deadLetter.example, headers: { Reason: 'invalid_json' } }],
  };
  return { messages, schemas: shared };
}

function mapped<In, Out>(of: Readonly<Record<string, In>>, to: (value: In, key: string) => Out): Record<string, Out> {
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, to(value, key)]));
}

function message(key: string, { type, summary, schema, example }: MessageDefinition, payload: unknown): JsonObject {
  return {
    name: type ?? key,
    title: title(key),
    summary,
    ...(hasId(schema) ? { correlationId: reference('components', 'correlationIds', 'command') } : undefined),
    payload,
    examples: [{ payload: example }],
  };
}

function refusal(statusCode: number, meaning: RefusalMeaning, payload: unknown, retryAfterHeader: unknown): JsonObject {
  const { codes } = meaning;
  const summary = `${meaning.when.charAt(0).toUpperCase()}${meaning.when.slice(1)}`;
  const example = { payload: { error: { code: codes[0], message: summary } } };
  return {
    name: refusalKey(String(statusCode)),
    title: title(refusalKey(String(statusCode))),
    summary,
    ...(meaning.retryAfter ? { headers: retryAfterHeader } : undefined),
    payload,
    bindings: { http: { statusCode, bindingVersion: '0.3.0' } },
    examples: [meaning.retryAfter ? { ...example, headers: { 'Retry-After': '5' } } : example],
  };
}

function hasId(schema: unknown): boolean {
  if (schema instanceof z.ZodUnion) return schema.options.every(hasId);
  return schema instanceof z.ZodObject && 'id' in schema.shape;
}

/** `quotes_snapshot` → `Quotes snapshot`. */
function title(key: string): string {
  const words = key.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
