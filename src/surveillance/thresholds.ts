/** When a pattern becomes an alert. Starting values: the operator tunes them with recordings of his own market. */
import { z } from 'zod';

const positive = z.number().positive();
const share = z.number().min(0).max(1);
const count = z.int().positive();
const seconds = positive;

/** One table: sections by detector. Every member has a default, so a file names only what it changes. */
export const thresholdsSchema = z
  .strictObject({
    order_to_trade: z
      .strictObject({
        orders_min: count
          .default(100)
          .describe('Orders of a user in a symbol and session below which nothing is reported'),
        ratio_by_number: positive.default(100).describe('Messages per trade, less one'),
        ratio_by_volume: positive.default(500).describe('Quantity ordered per quantity traded, less one'),
      })
      .prefault({}),
    quote_stuffing: z
      .strictObject({
        messages_per_second_min: count.default(50),
        sigmas: positive.default(20).describe('Standard deviations above the mean of the user’s own seconds before'),
        cancel_share_min: share.default(0.9).describe('Cancelled per created orders'),
        median_life_seconds_max: seconds.default(0.5),
      })
      .prefault({}),
    layering: z
      .strictObject({
        window_seconds: seconds.default(10),
        levels_min: count.default(3),
        depth_share_min: share.default(0.2).describe('Of the quantity on the ten best levels of that side'),
        filled_share_max: share.default(0.1),
        cancelled_share_min: share.default(0.8),
        cancel_seconds_max: seconds.default(5).describe('After the fill on the other side'),
      })
      .prefault({}),
    wash_trades: z
      .strictObject({
        window_seconds: seconds.default(600),
        trades_min: count.default(5),
        net_share_max: share.default(0.05).describe('Net per gross quantity between two users'),
        pair_share_min: share.default(0.5).describe('Of all that one of the two traded in the window'),
      })
      .prefault({}),
    momentum_ignition: z
      .strictObject({
        window_seconds: seconds.default(5),
        volume_share_min: share.default(0.3).describe('Of the aggressive volume of the window'),
        sigmas: positive.default(5).describe('Move of the price, in standard deviations of such windows before'),
        windows_min: count.default(30).describe('Windows seen before moves are judged'),
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
        changes_per_minute_max: count.default(10).describe('Subscriptions and their ends of one topic'),
      })
      .prefault({}),
    client_hopping: z
      .strictObject({
        topics_per_minute_max: count.default(60).describe('Different topics left soon after they were subscribed to'),
        held_seconds_max: seconds.default(5).describe('A topic that was held for longer does not count'),
      })
      .prefault({}),
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
