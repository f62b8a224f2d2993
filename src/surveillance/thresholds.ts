/** When a pattern becomes an alert. Starting values: the operator tunes them with recordings of his own market. */
import { z } from 'zod';
import { WINDOW_MAX } from './detectors/message-window.js';
import { TRADES_MAX } from './detectors/trade-window.js';

const positive = z.number().positive();
const share = z.number().min(0).max(1);
/** Below such a share a pattern is one, so that 0 would be below none. */
const shareBelow = z.number().gt(0, '0 would switch the detector off').max(1);
const count = z.int().positive();
const seconds = positive;
/** @param remembered what the detector counts, and forgets beyond a number */
const countUpTo = (max: number, remembered: string) =>
  count.max(max, `above ${max} the detector would be off: it remembers ${remembered}`);

const orderToTrade = z.strictObject({
  orders_min: count.default(100).describe('Orders of a user in a symbol and session below which nothing is reported'),
  ratio_by_number: positive.default(100).describe('Messages per trade, less one'),
  ratio_by_volume: positive.default(500).describe('Quantity ordered per quantity traded, less one'),
  both_sides_factor: z
    .number()
    .min(1)
    .default(10)
    .describe('Both limits, times this, count for a user who quotes and trades on both sides as market makers do'),
});

const quoteStuffing = z.strictObject({
  messages_per_second_min: countUpTo(WINDOW_MAX, `${WINDOW_MAX} messages of a second`).default(50),
  sigmas: positive.default(20).describe('Standard deviations above the mean of the user’s own seconds before'),
  cancel_share_min: share.default(0.9).describe('Cancelled per created orders'),
  median_life_seconds_max: seconds.default(0.5),
});

const layering = z.strictObject({
  window_seconds: seconds.default(10),
  levels_min: countUpTo(200, '200 orders of a user in a symbol').default(3),
  depth_share_min: share.default(0.2).describe('Of the quantity on the ten best levels of that side'),
  filled_share_max: shareBelow.default(0.1),
  both_sides_share_min: positive
    .default(0.5)
    .describe(
      'Orders on the side of the fill, per orders on the other: from this share on, the user quotes both sides',
    ),
  cancelled_share_min: share.default(0.8),
  cancel_seconds_max: seconds.default(5).describe('After the fill on the other side'),
});

/** The members of a section without their starting values: what an override does not name stays as it is for all. */
function changesOf<Section extends z.ZodObject>(section: Section): z.ZodType<Partial<z.output<Section>> | undefined> {
  const members = Object.entries(section.shape).map(
    ([name, member]) => [name, (member as z.ZodDefault<z.ZodNumber>).unwrap().optional()] as const,
  );
  const changes = z.strictObject(Object.fromEntries(members)).optional();
  return changes as unknown as z.ZodType<Partial<z.output<Section>> | undefined>;
}

/** One table: sections by detector. Every member has a default, so a file names only what it changes. */
export const thresholdsSchema = z
  .strictObject({
    order_to_trade: orderToTrade.prefault({}),
    quote_stuffing: quoteStuffing.prefault({}),
    layering: layering.prefault({}),
    wash_trades: z
      .strictObject({
        window_seconds: seconds.default(600),
        trades_min: countUpTo(200, '200 trades of two users').default(5),
        net_share_max: shareBelow.default(0.05).describe('Net per gross quantity between two users'),
        pair_share_min: share.default(0.5).describe('Of all that one of the two traded in the window'),
      })
      .prefault({}),
    momentum_ignition: z
      .strictObject({
        window_seconds: seconds.default(5),
        volume_share_min: share.default(0.3).describe('Of the aggressive volume of the window'),
        trades_min: countUpTo(TRADES_MAX, `${TRADES_MAX} trades of a window`)
          .default(3)
          .describe(
            'Aggressive trades of the user in the window, or as much as so many usual ones: less does not make a move',
          ),
        sigmas: positive.default(5).describe('Move of the price, in standard deviations of such windows before'),
        windows_min: count.default(6).describe('Windows seen before moves are judged'),
        reversal_seconds: seconds.default(60),
        reversed_share_min: share.default(0.8).describe('Of the position that the user built'),
      })
      .prefault({}),
    client_rate: z
      .strictObject({
        commands_per_second_min: count.default(50),
        sigmas: positive.default(6).describe('Standard deviations above the mean of the client’s own seconds before'),
        seconds_min: count.default(10).describe('Seconds with commands seen before they are judged'),
      })
      .prefault({}),
    client_churn: z
      .strictObject({
        changes_per_minute_max: countUpTo(999, '1,000 changes of a topic')
          .default(10)
          .describe('Subscriptions and their ends of one topic'),
      })
      .prefault({}),
    client_hopping: z
      .strictObject({
        topics_per_minute_max: countUpTo(499, '500 topics of a client')
          .default(60)
          .describe('Different topics left soon after they were subscribed to'),
        held_seconds_max: seconds.default(5).describe('A topic that was held for longer does not count'),
      })
      .prefault({}),
    overrides: z
      .array(
        z
          .strictObject({
            users: z.array(z.string().min(1)).min(1).max(10_000).optional(),
            symbols: z.array(z.string().min(1)).min(1).max(10_000).optional(),
            order_to_trade: changesOf(orderToTrade),
            quote_stuffing: changesOf(quoteStuffing),
            layering: changesOf(layering),
          })
          .refine(({ users, symbols }) => (users ?? symbols) !== undefined, 'needs users, symbols or both'),
      )
      .max(100)
      .default([])
      .describe('Limits of some users, in some symbols or both; the last that names both counts'),
    exempt_users: z
      .array(z.string().min(1))
      .max(10_000)
      .default([])
      .describe('Such as market makers with an obligation to quote'),
    repeat_seconds: seconds
      .default(300)
      .describe('The same pattern of the same users is reported once within this time'),
  })
  .prefault({});

export type Thresholds = z.infer<typeof thresholdsSchema>;

export const DEFAULT_THRESHOLDS: Thresholds = thresholdsSchema.parse({});
