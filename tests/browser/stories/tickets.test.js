/** What a buyer takes away: the calendar entry and the tickets as a file. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { stories } from '../support/story.js';

const HALL = 'Symphony Night';
const story = stories();

async function withATicket({ api, visitor }) {
  const event = await api.event(HALL);
  const [seat] = await api.availableSeats(event.id);
  const anna = await visitor('anna');
  await anna.signInAndHold(await api.newBuyer(), event.id, seat.id);
  await anna.pay('tok_visa');
  return { anna, event, seat, code: await anna.receiveTickets(1) };
}

/** Presses what downloads a file. */
async function download(visitor, id) {
  const [file] = await Promise.all([visitor.page.waitForEvent('download'), visitor.press(id)]);
  return { name: file.suggestedFilename(), content: await readFile(await file.path()) };
}

story('the calendar entry is downloaded, with the event, its time and the seat', async (scene) => {
  const { anna, event, seat, code } = await withATicket(scene);

  const { name, content } = await download(anna, 'calendar-link');
  const lines = content.toString('utf8').replaceAll('\r\n ', '').split('\r\n');
  assert.equal(name, `evently-${code}.ics`);
  assert.equal(lines[0], 'BEGIN:VCALENDAR');
  const start = event.start_time.replaceAll(/[-:]|\.\d+/g, '');
  assert.ok(lines.includes(`DTSTART:${start}`), `${start} in ${lines.join(' | ')}`);
  const text = lines.join('\n');
  for (const expected of [HALL, code, seat.section]) assert.ok(text.includes(expected), `${expected} in ${text}`);
});

story('tickets as a PDF are offered where the service makes them, and downloaded with the buyer’s token', async (scene) => {
  const { anna, code } = await withATicket(scene);
  const pdf = '%PDF-1.7 of a test';
  const asked = [];
  await anna.page.route(/\/tickets$/, async (route) => {
    const answer = await route.fetch();
    const tickets = await answer.json();
    const { pathname } = new URL(route.request().url());
    await route.fulfill({ response: answer, json: tickets.map((ticket) => ({ ...ticket, pdf_url: `${pathname}.pdf` })) });
  });
  await anna.page.route(/\/tickets\.pdf$/, (route) => {
    asked.push(route.request().headers().authorization);
    return route.fulfill({ contentType: 'application/pdf', body: pdf });
  });

  await anna.page.reload();
  await anna.receiveTickets(1);
  const { name, content } = await download(anna, 'tickets-pdf');
  assert.equal(name, `tickets-${code}.pdf`);
  assert.equal(content.toString(), pdf);
  assert.match(asked.join(), /^Bearer \S+$/);
  await anna.keepPicture('ticket-pdf', { fullPage: true });
});

story('no PDF is offered where there is none', async (scene) => {
  const { anna } = await withATicket(scene);
  await anna.page.route(/\/tickets$/, async (route) => {
    const answer = await route.fetch();
    const tickets = await answer.json();
    await route.fulfill({ response: answer, json: tickets.map((ticket) => ({ ...ticket, pdf_url: null })) });
  });

  await anna.page.reload();
  await anna.receiveTickets(1);
  assert.equal(await anna.at('tickets-pdf').count(), 0);
});

story('a ticket that was used at the door says so', async (scene) => {
  const { anna } = await withATicket(scene);
  const token = await scene.api.signIn({ email: 'staff@demo.evently' });
  const code = await anna.at('ticket-code').innerText();
  assert.equal((await scene.api.post('/api/v1/admin/check-ins', { code }, { token })).result, 'admitted');
  assert.doesNotMatch(await anna.at('ticket').innerText(), /Used/);
  await anna.page.reload();
  await anna.reads('ticket', /Used/);
});

story('the picture of a ticket that did not come is asked for again', async (scene) => {
  const { anna } = await withATicket(scene);
  anna.expectComplaint(/status of 500/);
  await anna.page.route(/\/qr\.svg$/, (route) => route.fulfill({ status: 500 }), { times: 1 });
  await anna.page.reload();
  await anna.at('ticket').getByRole('button', { name: 'Load code again' }).click();
  await anna.receiveTickets(1);
});
