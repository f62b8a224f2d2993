/** The recipes of ops/identity.md as they stand there: settings, a token, and what the gateway reads of it. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose';

const DOCUMENT = new URL('../../ops/identity.md', import.meta.url);

export interface Recipe {
  readonly provider: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly claims: Readonly<Record<string, unknown>>;
  /** What the document says that the gateway reads; `entitlements` are left out where the defaults apply. */
  readonly read: {
    readonly user: string;
    readonly tier: string;
    readonly roles: readonly string[];
    readonly entitlements?: readonly string[];
  };
}

/** The policy file that the recipes share, as text. */
export function documentedPolicy(): string {
  const [, policy = ''] = /```json\n([\s\S]*?)```/.exec(readFileSync(DOCUMENT, 'utf8')) ?? [];
  return policy;
}

/** Every chapter of the document that has settings. */
export function recipes(): readonly Recipe[] {
  return readFileSync(DOCUMENT, 'utf8')
    .split(/^## /m)
    .filter(chapter => chapter.includes('```env'))
    .map(recipeOf);
}

function recipeOf(chapter: string): Recipe {
  const blocks = (language: string) =>
    [...chapter.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text = '']) => text);
  const [settings = '', ...otherSettings] = blocks('env');
  const [claims = '', read = '', ...otherJson] = blocks('json');
  if (otherSettings.length + otherJson.length > 0) throw new Error(`unexpected blocks: ${chapter.slice(0, 40)}`);
  const lines = settings.trim().split('\n');
  return {
    provider: chapter.slice(0, chapter.indexOf('\n')),
    settings: Object.fromEntries(
      lines.map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    ),
    claims: JSON.parse(claims),
    read: JSON.parse(read),
  };
}

/** The times of a token are as far apart as in the document, and it was issued just now. */
function issuedNow(claims: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const shift = Math.floor(Date.now() / 1000) - Number(claims.iat);
  const times = ['iat', 'nbf', 'exp', 'auth_time'].filter(name => name in claims);
  return { ...claims, ...Object.fromEntries(times.map(name => [name, Number(claims[name]) + shift])) };
}

/** An identity provider: it has a key set at a URL and signs tokens. */
export interface Issuer {
  readonly jwksUrl: string;
  /** @param more changes to the claims; undefined removes one */
  sign(claims: Readonly<Record<string, unknown>>, more?: Readonly<Record<string, unknown>>): Promise<string>;
  /** A token with another key under the kid of this issuer. */
  forge(claims: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
}

/** As the providers have it: RS256, a second signing key for rotation, keys with and without `alg`, one to encrypt. */
export async function startIssuer(): Promise<Issuer> {
  const [current, next, encryption, stranger] = await Promise.all(
    [0, 1, 2, 3].map(() => generateKeyPair('RS256', { extractable: true })),
  );
  const jwk = async (pair: typeof current, more: object) => ({
    ...(pair && (await exportJWK(pair.publicKey))),
    ...more,
  });
  const keys = [
    await jwk(encryption, { kid: 'enc-1', use: 'enc', alg: 'RSA-OAEP' }),
    await jwk(next, { kid: 'sig-2', use: 'sig', alg: 'RS256' }),
    await jwk(current, { kid: 'sig-1', use: 'sig' }),
  ];
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const signedBy = (key: CryptoKey | undefined, claims: Record<string, unknown>) => {
    if (key === undefined) throw new Error('no key');
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: 'sig-1' }).sign(key);
  };
  return {
    jwksUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`,
    sign: (claims, more = {}) => signedBy(current?.privateKey, { ...issuedNow(claims), ...more }),
    forge: claims => signedBy(stranger?.privateKey, issuedNow(claims)),
    close: async () => {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
