/** An operator, its account, and credentials of users: what `nsc` makes, for servers of tests. */
import { nkeys } from 'nats';

type KeyPair = ReturnType<typeof nkeys.createUser>;

const UNLIMITED = -1;
const NO_LIMITS = {
  subs: UNLIMITED,
  data: UNLIMITED,
  payload: UNLIMITED,
  imports: UNLIMITED,
  exports: UNLIMITED,
  wildcards: true,
  conn: UNLIMITED,
  leaf: UNLIMITED,
};

interface UserOptions {
  /** When the server ends it. Left out: never. */
  readonly expiresMs?: number;
}

export class NatsIdentities {
  readonly #operator = nkeys.createOperator();
  readonly #account = nkeys.createAccount();

  /** The lines of a server's configuration that make it trust them. */
  get serverConfig(): string {
    const operator = jwtOf(this.#operator, this.#operator, 'operator', {});
    const account = jwtOf(this.#operator, this.#account, 'account', { limits: NO_LIMITS });
    return `operator: ${operator}
resolver: MEMORY
resolver_preload: { ${this.#account.getPublicKey()}: ${account} }
`;
  }

  /** The text of a new user's `.creds` file. */
  creds({ expiresMs }: UserOptions = {}): string {
    const user = nkeys.createUser();
    const claims = { pub: {}, sub: {}, subs: UNLIMITED, data: UNLIMITED, payload: UNLIMITED };
    const exp = expiresMs === undefined ? undefined : Math.floor(expiresMs / 1000);
    return `-----BEGIN NATS USER JWT-----
${jwtOf(this.#account, user, 'user', claims, exp)}
------END NATS USER JWT------

************************* IMPORTANT *************************
NKEY Seed printed below can be used to sign and prove identity.

-----BEGIN USER NKEY SEED-----
${new TextDecoder().decode(user.getSeed())}
------END USER NKEY SEED------

*************************************************************
`;
  }
}

/** A user nkey: its public key, for the server, and its seed. */
export function newNkey(): { readonly publicKey: string; readonly seed: string } {
  const user = nkeys.createUser();
  return { publicKey: user.getPublicKey(), seed: new TextDecoder().decode(user.getSeed()) };
}

function jwtOf(issuer: KeyPair, subject: KeyPair, type: string, claims: object, exp?: number): string {
  const header = { typ: 'JWT', alg: 'ed25519-nkey' };
  const body = {
    jti: subject.getPublicKey(),
    iat: Math.floor(Date.now() / 1000),
    ...(exp === undefined ? {} : { exp }),
    iss: issuer.getPublicKey(),
    sub: subject.getPublicKey(),
    name: type,
    nats: { ...claims, type, version: 2 },
  };
  const text = [header, body].map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}
