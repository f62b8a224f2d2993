import { describe, expect, it } from 'vitest';
import { likelyMeant } from '../../../src/config/misspelt.js';
import { SETTINGS } from '../../../src/config/settings-table.js';

const meant = (name: string) => likelyMeant(name, SETTINGS.keys());

describe('I8 the setting that a name stands for', () => {
  it.each([
    ['AUTH_JWT_SECERT', 'AUTH_JWT_SECRET'],
    ['ATUH_JWT_SECRET', 'AUTH_JWT_SECRET'],
    ['AUTH_JWT_SCERET', 'AUTH_JWT_SECRET'],
    ['auth_jwt_secret', 'AUTH_JWT_SECRET'],
    ['AUTH_JWT_SECRETS', 'AUTH_JWT_SECRET'],
    ['AUTH_JKWS_URL', 'AUTH_JWKS_URL'],
    ['WS_MAX_CONECTION', 'WS_MAX_CONNECTIONS'],
    ['NATS_URLS', 'NATS_URL'],
    ['TLS_CRET', 'TLS_CERT'],
    ['LOG_LEVL', 'LOG_LEVEL'],
    ['SYMBOL', 'SYMBOLS'],
  ])('I8 %s is %s', (name, setting) => {
    expect(meant(name)).toBe(setting);
  });

  it.each([
    ...['HOSTNAME', 'LOGNAME', 'NATS_SERVER_BIN', 'NATS_PORT', 'NATS_SERVICE_HOST', 'NATS_PORT_4222_TCP_ADDR'],
    ...[
      'NODE_ENV',
      'NODE_PATH',
      'NODE_OPTIONS',
      'NODE_EXTRA_CA_CERTS',
      'TLS_CERT_DIR',
      'AUTH_TOKEN',
      'WS_URL',
      'XPORT',
    ],
    ...['npm_config_cache', 'npm_package_version', 'SSL_CERT_FILE', 'KUBERNETES_SERVICE_HOST', 'PATH', 'PWD', 'TERM'],
  ])('I8 %s is none', name => {
    expect(meant(name)).toBeUndefined();
  });
});
