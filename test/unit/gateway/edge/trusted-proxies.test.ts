import { describe, expect, it } from 'vitest';
import { type Network, networkOf } from '../../../../src/config/networks.js';
import { addressBytes, clientAddress } from '../../../../src/gateway/edge/client-address.js';
import { TrustedProxies } from '../../../../src/gateway/edge/trusted-proxies.js';

const bytesOf = (text: string) => addressBytes(text) ?? new Uint8Array();

function proxiesAt(...networks: string[]): TrustedProxies {
  return new TrustedProxies(networks.map(text => networkOf(text) as Network));
}

interface Hops {
  readonly peer?: string;
  readonly proxied?: string;
  readonly forwardedFor?: string;
}

/** The address that limits count. */
function counted(proxies: TrustedProxies, { peer = '10.0.0.1', proxied = '', forwardedFor = '' }: Hops): string {
  const forwarding = { proxied: () => bytesOf(proxied), forwardedFor: () => forwardedFor };
  return clientAddress(proxies.clientOf(bytesOf(peer), forwarding));
}

describe('P1 R39 the address of a client', () => {
  const proxies = proxiesAt('10.0.0.0/8', '192.0.2.7', '2001:db8:1::/48');

  it.each<[string, Hops, string]>([
    ['is the peer’s without a header', {}, '10.0.0.1'],
    ['is what a trusted peer says', { forwardedFor: '203.0.113.5' }, '203.0.113.5'],
    [
      'is the rightmost hop that is no trusted proxy',
      { forwardedFor: '203.0.113.5, 10.9.9.9, 192.0.2.7' },
      '203.0.113.5',
    ],
    ['is never what a client claims itself', { forwardedFor: '198.51.100.1, 203.0.113.5, 10.9.9.9' }, '203.0.113.5'],
    [
      'comes from the last of several header lines',
      { forwardedFor: '198.51.100.1,203.0.113.5,203.0.113.6' },
      '203.0.113.6',
    ],
    ['is the first hop where all are trusted', { forwardedFor: '10.0.0.3, 10.0.0.2' }, '10.0.0.3'],
    ['may have a port', { forwardedFor: '203.0.113.5:41234' }, '203.0.113.5'],
    ['may be IPv6 and counts as its /64', { forwardedFor: '2001:db8:2::1' }, '2001:db8:2:0::/64'],
    ['may be IPv6 in brackets', { forwardedFor: '[2001:db8:2::1]' }, '2001:db8:2:0::/64'],
    ['may be IPv6 with a port', { forwardedFor: '[2001:db8:2::1]:443' }, '2001:db8:2:0::/64'],
    ['may be quoted', { forwardedFor: '"[2001:db8:2::1]:443"' }, '2001:db8:2:0::/64'],
    ['may be IPv4 mapped into IPv6', { forwardedFor: '::ffff:203.0.113.5' }, '203.0.113.5'],
    ['skips empty items', { forwardedFor: '203.0.113.5, , 10.0.0.2 ,' }, '203.0.113.5'],
    ['is the proxy’s where the proxy says unknown', { forwardedFor: '203.0.113.5, unknown' }, '10.0.0.1'],
    ['is the last known hop before garbage', { forwardedFor: '203.0.113.5, <x>, 10.0.0.2' }, '10.0.0.2'],
    ['is no number beyond 255', { forwardedFor: '203.0.113.256' }, '10.0.0.1'],
    ['is no port alone', { forwardedFor: ':443' }, '10.0.0.1'],
    [
      'passes through IPv6 proxies',
      { peer: '2001:db8:1::5', forwardedFor: '203.0.113.5, 2001:db8:1:2::3' },
      '203.0.113.5',
    ],
  ])('P1 R39 %s', (_what, hops, address) => {
    expect(counted(proxies, hops)).toBe(address);
  });

  it.each<[string, Hops, string]>([
    ['a PROXY header of a trusted peer counts', { proxied: '203.0.113.5' }, '203.0.113.5'],
    ['an IPv6 one too', { proxied: '2001:db8:2::1' }, '2001:db8:2:0::/64'],
    [
      'its client’s own X-Forwarded-For does not',
      { proxied: '203.0.113.5', forwardedFor: '198.51.100.1' },
      '203.0.113.5',
    ],
    [
      'a second proxy behind the first is asked in turn',
      { proxied: '10.0.0.9', forwardedFor: '203.0.113.5' },
      '203.0.113.5',
    ],
  ])('P1 R39 PROXY protocol v2: %s', (_what, hops, address) => {
    expect(counted(proxies, hops)).toBe(address);
  });

  it('P1 R39 a peer that is not trusted is not believed, whatever it sends', () => {
    const forged = { proxied: '203.0.113.5', forwardedFor: '203.0.113.6' };
    expect(counted(proxies, { peer: '192.0.2.8', ...forged })).toBe('192.0.2.8');
    expect(counted(proxies, { peer: '2001:db8:2::1', ...forged })).toBe('2001:db8:2:0::/64');
    expect(counted(proxiesAt(), { peer: '10.0.0.1', ...forged })).toBe('10.0.0.1');
  });

  it('P1 R39 a peer is trusted in IPv4 and mapped into IPv6 alike', () => {
    const mapped = Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1]);
    expect(proxies.isTrusted(mapped)).toBe(true);
    expect(proxiesAt('::ffff:10.0.0.0/104').isTrusted(bytesOf('10.0.0.1'))).toBe(true);
    expect(proxiesAt('::1').isTrusted(bytesOf('::1'))).toBe(true);
    expect(proxiesAt('::1').isTrusted(bytesOf('::2'))).toBe(false);
  });
});

describe('P1 TRUSTED_PROXIES', () => {
  it.each([
    ['10.0.0.1', { address: '10.0.0.1', family: 'ipv4', prefix: 32 }],
    ['10.0.0.0/8', { address: '10.0.0.0', family: 'ipv4', prefix: 8 }],
    ['2001:DB8::/32', { address: '2001:DB8::', family: 'ipv6', prefix: 32 }],
    ['::1', { address: '::1', family: 'ipv6', prefix: 128 }],
  ])('P1 takes %s', (text, network) => {
    expect(networkOf(text)).toEqual(network);
  });

  it.each([
    '',
    'localhost',
    '10.0.0',
    '10.0.0.256',
    '10.0.0.0/33',
    '10.0.0.0/0',
    '::/0',
    '::/129',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '[::1]',
    'fe80::1%eth0',
    '10.0.0.1:80',
  ])('P1 does not take %j', text => {
    expect(networkOf(text)).toBeUndefined();
  });
});
