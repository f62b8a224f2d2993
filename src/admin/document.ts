/** Tables of ops/admin.md. */
import { FLIGHT_EVENTS } from '../threads/flight-events.js';
import openApi from './openapi.json' with { type: 'json' };

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly { readonly name?: string; readonly in?: string }[];
}

const METHODS = ['get', 'post', 'put', 'delete'] as const;

export function adminTables(): Readonly<Record<string, string>> {
  return { 'admin requests': requestsTable(), 'flight events': eventsTable() };
}

function requestsTable(): string {
  const rows = Object.entries(openApi.paths).flatMap(([path, operations]) => {
    const found = operations as unknown as Readonly<Record<string, Operation | undefined>>;
    return METHODS.flatMap(method => {
      const operation = found[method];
      if (operation === undefined) return [];
      const query = (operation.parameters ?? []).flatMap(({ name, in: where }) =>
        where === 'query' ? [`\`${name}\``] : [],
      );
      return [`| ${method.toUpperCase()} | \`${path}\` | ${operation.summary} | ${query.join(', ')} |`];
    });
  });
  return ['| | path | what | query |', '|---|---|---|---|', ...rows].join('\n');
}

function eventsTable(): string {
  const rows = Object.entries(FLIGHT_EVENTS).map(([name, meaning]) => `| \`${name}\` | ${meaning} |`);
  return ['| event | meaning, and its detail |', '|---|---|', ...rows].join('\n');
}
