/** Words, money and times for people. The page speaks English, so a reader's locale counts only if it is English too. */

const LOCALE = navigator.language?.startsWith('en') ? navigator.language : 'en-GB';

/**
 * @typedef {{amount: number, currency: string}} Money an integer in the currency's minor unit
 */

/**
 * How many digits of an amount stand behind the point, where they are not two: ISO 4217, list one, and the same as in mails. A
 * browser does not know it: what it takes for usual is none for ALL, and a price would look a hundred times as high.
 */
const MINOR_DIGITS = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XAG XAU XBA XBB XBC XBD XDR XOF XPD XPF XPT XSU XTS XUA XXX',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};

const moneyFormats = new Map();

function moneyFormat(currency) {
  let known = moneyFormats.get(currency);
  if (!known) {
    const digits = Number(Object.keys(MINOR_DIGITS).find((some) => MINOR_DIGITS[some].includes(currency)) ?? 2);
    const number = new Intl.NumberFormat(LOCALE, { minimumFractionDigits: digits, maximumFractionDigits: digits });
    known = { digits, number };
    moneyFormats.set(currency, known);
  }
  return known;
}

/** "45.00 EUR", with a space that does not break. @param {Money | null | undefined} money */
export function formatMoney(money) {
  if (!money) return '';
  const { digits, number } = moneyFormat(money.currency);
  return `${number.format(money.amount / 10 ** digits)}\u00a0${money.currency}`;
}

/** The sum of prices in one currency, or null of none. @param {Money[]} prices @returns {Money | null} */
export function sumMoney(prices) {
  if (prices.length === 0) return null;
  return { amount: prices.reduce((sum, price) => sum + price.amount, 0), currency: prices[0].currency };
}

const dateFormat = new Intl.DateTimeFormat(LOCALE, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const timeFormat = new Intl.DateTimeFormat(LOCALE, { hour: 'numeric', minute: '2-digit' });
const zonedTimeFormat = new Intl.DateTimeFormat(LOCALE, { hour: 'numeric', minute: '2-digit', timeZoneName: 'short' });
const shortFormat = new Intl.DateTimeFormat(LOCALE, {
  weekday: 'short', day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit',
});
const stampFormat = new Intl.DateTimeFormat(LOCALE, {
  day: 'numeric', month: 'short', year: 'numeric', hour: 'numeric', minute: '2-digit', second: '2-digit',
});

/** "Saturday, 22 November 2026" in the viewer's zone. */
export function formatDate(iso) {
  return dateFormat.format(new Date(iso));
}

/** "20:30 – 23:00 CET"; the end is named with its day when it is another one. */
export function formatTimes(startIso, endIso) {
  const start = new Date(startIso);
  if (!endIso) return zonedTimeFormat.format(start);
  const end = new Date(endIso);
  if (start.toDateString() === end.toDateString()) {
    return `${timeFormat.format(start)} – ${zonedTimeFormat.format(end)}`;
  }
  return `${zonedTimeFormat.format(start)} – ${shortFormat.format(end)}`;
}

/** "20:30" */
export function formatTime(iso) {
  return timeFormat.format(new Date(iso));
}

/** "Sat 22 Nov, 20:30" */
export function formatShort(iso) {
  return shortFormat.format(new Date(iso));
}

/** "22 Nov 2026, 20:30:05", for a history. */
export function formatStamp(iso) {
  return stampFormat.format(new Date(iso));
}

/** Parts for the stub of an event card. */
export function dateParts(iso) {
  const date = new Date(iso);
  const part = (options) => new Intl.DateTimeFormat(LOCALE, options).format(date);
  return {
    weekday: part({ weekday: 'short' }),
    day: part({ day: 'numeric' }),
    month: part({ month: 'short' }),
    time: timeFormat.format(date),
    year: date.getFullYear() === new Date().getFullYear() ? '' : String(date.getFullYear()),
  };
}

export function timeZoneName() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'your device';
}

const countFormat = new Intl.NumberFormat(LOCALE);

/** "1 seat", "20,000 seats" */
export function plural(count, one, many = `${one}s`) {
  return `${countFormat.format(count)} ${count === 1 ? one : many}`;
}

export function formatCount(count) {
  return countFormat.format(count);
}

/** "4:05" from whole seconds. */
export function formatClock(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** What rows are called where they have no name of their own: 12, 12a, C, CC. */
const BARE_ROW = /^(?:\d+\p{L}?|\p{L}{1,2})$/u;

/** "Row C"; "Box 1" and "T23" are names already. @param {string} label */
export function rowName(label) {
  return BARE_ROW.test(label) ? `Row ${label}` : label;
}

/** "Row C seat 12", or "Seat 12" where there are no rows. @param {{row?: string | null, label: string}} seat */
export function seatName(seat) {
  return seat.row ? `${rowName(seat.row)} seat ${seat.label}` : `Seat ${seat.label}`;
}

/** "Row C seat 12 and row D seat 1" */
export function joinNames(names) {
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(names);
}

/** "restricted view" from "restricted_view". */
export function attributeName(attribute) {
  return String(attribute).replaceAll(/[_-]+/g, ' ');
}

const STATUS_WORDS = {
  pending: 'Held, not paid yet',
  confirmed: 'Confirmed',
  expired: 'Hold ran out',
  cancelled: 'Cancelled',
  refunded: 'Refunded',
};

/** A booking status in words. */
export function bookingStatus(status) {
  return STATUS_WORDS[status] ?? attributeName(status);
}
