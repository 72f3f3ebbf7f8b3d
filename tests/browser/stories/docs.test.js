/** The page on which the API can be tried. */
import { stories } from '../support/story.js';

const story = stories();

story('who opens the documentation sees what can be asked, and is answered when trying it', async ({ visitor }) => {
  const anna = await visitor('anna');

  await anna.open('/docs/');
  const operation = anna.page.locator('#operations-status-get_health_live');
  await operation.click();
  await operation.getByRole('button', { name: 'Try it out' }).click();
  await operation.getByRole('button', { name: 'Execute' }).click();
  await operation.getByText('"status": "ok"').first().waitFor();
  await anna.keepPicture('docs');
});
