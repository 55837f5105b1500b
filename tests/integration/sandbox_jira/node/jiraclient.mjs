// jira-client against Data Center v2; prints one JSON object of outcomes.
import JiraApi from 'jira-client';

const given = JSON.parse(process.env.SANDBOX);
const { hostname, port } = new URL(given.url);
const make = (role, password) => new JiraApi({
  protocol: 'http', host: hostname, port, apiVersion: '2', strictSSL: false,
  username: given.accounts[role].username, password: password ?? given.accounts[role].password,
});
const jira = make('integration');
const outcome = {};
const step = async (name, act) => {
  try { outcome[name] = { ok: true, value: await act() }; } catch (error) { outcome[name] = { ok: false, error: String(error.message).slice(0, 400), status: error.statusCode }; }
  return outcome[name].value;
};
const made = await step('create', async () => await jira.addNewIssue({ fields: { project: { key: 'OPS' }, issuetype: { name: 'Bug' }, summary: 'by jira-client' } }));
const key = made?.key;
await step('find', async () => (await jira.findIssue(key)).fields.summary);
await step('search', async () => (await jira.searchJira('summary ~ client', { maxResults: 5, fields: ['summary'] })).total);
await step('update', async () => await jira.updateIssue(key, { fields: { labels: ['x'] } }));
await step('comment', async () => (await jira.addComment(key, 'hello')).body);
const moves = await step('transitions', async () => (await jira.listTransitions(key)).transitions);
await step('transition', async () => await jira.transitionIssue(key, { transition: { id: moves[0].id } }));
await step('status', async () => (await jira.findIssue(key)).fields.status.name);
await step('worklog', async () => (await jira.addWorklog(key, { timeSpentSeconds: 60 })).timeSpentSeconds);
await step('remote', async () => (await jira.createRemoteLink(key, { object: { url: 'http://x.test', title: 't' } })).id > 0);
await step('user', async () => (await jira.getCurrentUser()).name);
await step('users', async () => (await jira.searchUsers({ username: 'beth' })).length);
await step('projects', async () => (await jira.listProjects()).length >= 2);
await step('fields', async () => (await jira.listFields()).length > 10);
await step('fault404', async () => await jira.findIssue('NOPE-1'));
await step('fault401', async () => await make('integration', 'wrong').getCurrentUser());
console.log(JSON.stringify(outcome));
