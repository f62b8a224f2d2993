/** The ready configurations in ops/nats, right by right. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../ops/nats/', import.meta.url));

export type Setup = 'core' | 'jetstream';
export type Role = 'gateway' | 'publisher' | 'administrator' | 'edge';

export type Kind = 'publish' | 'subscribe' | 'allow_responses';

export interface Right {
  readonly role: Role;
  readonly kind: Kind;
  /** '' with `allow_responses`. */
  readonly subject: string;
  /** Its line in the file, from 0. */
  readonly line: number;
}

/** The passwords of the users, by the variables that the files name. */
export const PASSWORDS = {
  NATS_GATEWAY_PASSWORD: 'of-the-gateway',
  NATS_PUBLISHER_PASSWORD: 'of-the-publisher',
  NATS_ADMINISTRATOR_PASSWORD: 'of-the-administrator',
} as const;

function configurationOf(setup: Setup): string {
  return readFileSync(`${FOLDER}accounts-${setup}.conf`, 'utf8');
}

export function rightsOf(setup: Setup): Right[] {
  return rightsIn(configurationOf(setup));
}

/** @param configuration its text */
export function rightsIn(configuration: string): Right[] {
  const rights: Right[] = [];
  let role: Role = 'gateway';
  let kind: Right['kind'] = 'publish';
  for (const [line, text] of configuration.split('\n').entries()) {
    role = (/^ +user: (\w+)$/.exec(text)?.[1] as Role | undefined) ?? role;
    kind = (/^ +(publish|subscribe): \[$/.exec(text)?.[1] as Right['kind'] | undefined) ?? kind;
    const subject = /^ +"(.+)"$/.exec(text)?.[1];
    if (subject !== undefined) rights.push({ role, kind, subject, line });
    if (/^ +allow_responses: true$/.test(text)) rights.push({ role, kind: 'allow_responses', subject: '', line });
  }
  return rights;
}

/** The configuration without one of its rights, with a user `test` that may do everything, and another `store_dir`. */
export function configurationWithout(setup: Setup, storeDir: string, missing?: Right): string {
  const lines = configurationOf(setup).split('\n');
  return lines
    .filter((_, line) => line !== missing?.line)
    .join('\n')
    .replace('users: [', 'users: [\n      { user: test, password: test }')
    .replace('store_dir: /data', `store_dir: ${JSON.stringify(storeDir)}`);
}
