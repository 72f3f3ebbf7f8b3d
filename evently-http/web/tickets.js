/** Tickets and files of a booking. All of them need the bearer token, so they are fetched and shown as blobs. */
import { api } from './api.js';
import { h, icon, replace } from './dom.js';
import { busy, emptyState, notice } from './feedback.js';
import { seatName } from './format.js';
import { isAborted } from './http.js';

/** @param {AbortSignal} signal of the view: the pictures are let go with it */
export async function ticketList(booking, signal) {
  const tickets = await api.tickets(booking.id, signal);
  if (tickets.length === 0) return emptyState('No tickets yet', 'They are being made. Please look again in a moment.');
  return h('div', null,
    h('ul', { class: 'tickets' }, tickets.map((ticket) => ticketCard(ticket, signal))),
    tickets.some(({ pdf_url: pdf }) => pdf) && h('div', { class: 'actions' }, downloadButton({
      words: 'Download PDF', url: api.ticketsPdfUrl(booking.id), name: `tickets-${booking.code ?? booking.id}.pdf`,
      testid: 'tickets-pdf',
    })));
}

function ticketCard(ticket, signal) {
  const name = seatName(ticket.seat);
  const usable = ticket.status !== 'cancelled' && ticket.status !== 'void';
  return h('li', { class: 'ticket', testid: 'ticket', 'data-status': ticket.status },
    h('div', { class: 'ticket-text' },
      h('h3', null, name),
      h('p', { class: 'quiet' }, ticket.seat.section),
      TICKET_WORDS[ticket.status] && h('p', { class: 'tag' }, TICKET_WORDS[ticket.status])),
    usable && ticket.qr_svg_url && qrCode(ticket, name, signal),
    h('p', { class: 'ticket-code', testid: 'ticket-code' }, ticket.code));
}

const TICKET_WORDS = { used: 'Used', checked_in: 'Used', cancelled: 'Cancelled', void: 'Cancelled' };

function qrCode(ticket, name, signal) {
  const place = h('div', { class: 'ticket-qr' });
  const load = async () => {
    replace(place, h('div', { class: 'skeleton', 'aria-hidden': 'true' }));
    try {
      const file = await api.file(ticket.qr_svg_url, signal);
      // An <img> shows only what says that it is a picture.
      const url = URL.createObjectURL(new Blob([file], { type: 'image/svg+xml' }));
      signal.addEventListener('abort', () => URL.revokeObjectURL(url), { once: true });
      replace(place, h('img', {
        src: url, alt: `QR code of the ticket for ${name}`, width: 132, height: 132, testid: 'ticket-qr',
      }));
    } catch (error) {
      if (isAborted(error)) return;
      replace(place, h('button', { class: 'button button-small', type: 'button', on: { click: load } }, 'Load code again'));
    }
  };
  load();
  return place;
}

export function calendarButton(booking) {
  return downloadButton({
    words: 'Add to calendar', url: api.calendarUrl(booking.id), name: `evently-${booking.code ?? booking.id}.ics`,
    testid: 'calendar-link', symbol: 'calendar',
  });
}

function downloadButton({ words, url, name, testid, symbol = 'download' }) {
  const message = h('div');
  const button = h('button', { class: 'button', type: 'button', testid }, icon(symbol), words);
  button.addEventListener('click', async () => {
    replace(message);
    try {
      saveAs(await busy(button, () => api.file(url)), name);
    } catch (error) {
      replace(message, notice('error', h('p', null, error.message)));
    }
  });
  return h('div', { class: 'download' }, button, message);
}

function saveAs(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h('a', { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  // Some browsers begin to read the blob only after this turn.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
