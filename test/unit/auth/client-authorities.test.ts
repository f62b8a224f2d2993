/** Which authority issued a client's certificate, and that it is gone once the file no longer holds it. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ClientAuthorities } from '../../../src/auth/client-authorities.js';
import { certificateCredential } from '../../../src/auth/client-certificate.js';

let folder = '';
const at = (name: string) => join(folder, name);
const pem = (name: string) => readFile(at(name), 'utf8');
const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });

function authority(name: string): void {
  const subject = ['-subj', `/CN=Authority ${name}`];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  openssl('req', '-x509', ...key, '-out', `${name}.pem`, '-days', '2', ...subject);
}

function client(name: string, by: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  openssl('req', ...key, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
  const signer = ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signer, '-out', `${name}.pem`, '-days', '1');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-authorities-'));
  for (const name of ['one', 'two', 'three']) authority(name);
  client('alice', 'one');
  client('bob', 'two');
  client('carl', 'three');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('I7 R33 the authorities of client certificates', () => {
  it('I7 are known by the certificates that they issued, until they are removed from the file', async () => {
    await writeFile(at('ca.pem'), `${await pem('one.pem')}${await pem('two.pem')}`);
    const authorities = new ClientAuthorities(at('ca.pem'));
    await authorities.read();
    const credentialOf = async (name: string) => {
      const result = certificateCredential(await pem(`${name}.pem`), Date.now(), authorities);
      if (!result.ok) throw new Error(result.reason);
      return result.credential;
    };
    const [alice, bob, carl] = [await credentialOf('alice'), await credentialOf('bob'), await credentialOf('carl')];
    const { fingerprint256 } = new X509Certificate(await pem('one.pem'));
    expect([alice.sub, alice.authority]).toEqual(['alice', fingerprint256]);
    expect(bob.authority).not.toBe(alice.authority);
    expect(carl.authority).toBeUndefined();
    await writeFile(at('ca.pem'), await pem('two.pem'));
    await authorities.read();
    expect([alice, bob].map(({ authority: issuer = '' }) => authorities.has(issuer))).toEqual([false, true]);
  });

  it.each(['', 'none', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'])(
    'I7 stay as they were where the file cannot be used: %j',
    async text => {
      await writeFile(at('ca.pem'), await pem('one.pem'));
      const authorities = new ClientAuthorities(at('ca.pem'));
      await authorities.read();
      await writeFile(at('ca.pem'), text);
      await expect(authorities.read()).rejects.toThrow(/^TLS_CLIENT_CA=.*cannot be used/);
      expect(authorities.has(new X509Certificate(await pem('one.pem')).fingerprint256)).toBe(true);
    },
  );
});
