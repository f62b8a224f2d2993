/** zod → JSON Schema (draft 7, which AsyncAPI builds on). */
import { z } from 'zod';
import { sharedSchemas } from '../frames.js';

/** An object of the document: plain JSON. */
export type JsonObject = { readonly [member: string]: unknown };

/** The reference to a part of the document. */
export const reference = (...path: readonly string[]): JsonObject => ({
  $ref: `#/${path.map(part => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/')}`,
});

interface JsonSchemas {
  readonly own: Readonly<Record<string, JsonObject>>;
  /** The schemas of `sharedSchemas`, for `components.schemas`. */
  readonly shared: Readonly<Record<string, JsonObject>>;
}

/** JSON Schemas of these and of all shared ones; a schema that contains a shared one refers to it. */
export function jsonSchemas(schemas: Readonly<Record<string, z.ZodType>>): JsonSchemas {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(sharedSchemas)) registry.add(schema, { id });
  // No shared name begins like this.
  for (const [key, schema] of Object.entries(schemas)) registry.add(schema, { id: `own/${key}` });
  const converted = z.toJSONSchema(registry, {
    target: 'draft-7',
    // What may be sent, not what zod makes of it: a non-strict object may have any further members.
    io: 'input',
    uri: id => String(reference('components', 'schemas', id).$ref),
    override: ({ jsonSchema }) => {
      // The format already says it; its pattern would only add that the zone is Z.
      if (jsonSchema.format === 'date-time') jsonSchema.pattern = 'Z$';
    },
  }).schemas as Readonly<Record<string, JsonObject>>;
  const part = (id: string) => tidy(withoutIdentity(converted[id])) as JsonObject;
  const own = Object.keys(schemas).map(key => [key, part(`own/${key}`)]);
  const shared = Object.keys(sharedSchemas).map(id => [id, part(id)]);
  return { own: Object.fromEntries(own), shared: Object.fromEntries(shared) };
}

/** The schema as a part of a document, which has its own identity. */
function withoutIdentity({ $schema: _, $id: __, ...schema }: JsonObject = {}): JsonObject {
  return schema;
}

/** Turns a reference in an `allOf` of its own, as zod writes optional members, into a plain one. */
function tidy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidy);
  if (typeof value !== 'object' || value === null) return value;
  const { allOf } = value as { readonly allOf?: readonly unknown[] };
  if (allOf?.length === 1 && Object.keys(value).length === 1) return tidy(allOf[0]);
  return Object.fromEntries(Object.entries(value).map(([member, inner]) => [member, tidy(inner)]));
}
