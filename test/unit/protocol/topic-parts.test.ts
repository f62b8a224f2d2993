import { expect, it } from 'vitest';
import { topicName, topicParts } from '../../../src/protocol/topic-parts.js';

it('a topic is split at its first colon: a name may hold others', () => {
  expect(topicParts('rooms:a:b')).toEqual(['rooms', 'a:b']);
  expect(topicParts('trades')).toEqual(['trades', '']);
  expect([topicName('rooms:a:b'), topicName('quotes:BTC/USDT')]).toEqual(['a:b', 'BTC/USDT']);
});
