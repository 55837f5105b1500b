// jira.js 6 with every answer checked against its own schemas; prints one JSON object of outcomes.
import { createCloudClient, createServiceDeskClient, isNotFoundError, isAuthError, isForbiddenError, isRateLimitError } from 'jira.js';

const given = JSON.parse(process.env.SANDBOX);
const make = (role) => ({
  host: given.url,
  auth: { type: 'basic', email: given.accounts[role].username, apiToken: given.accounts[role].password },
  onSchemaMismatch: 'throw',
  retry: { maxRetries: 0 },
});
const jira = createCloudClient(make('integration'));
const admin = createCloudClient(make('admin'));
const desk = createServiceDeskClient(make('integration'));
const approver = createServiceDeskClient(make('approver1'));
const outcome = {};
const step = async (name, act) => {
  try {
    outcome[name] = { ok: true, value: await act() };
  } catch (error) {
    outcome[name] = { ok: false, error: `${error.name}: ${error.message}`.slice(0, 600), report: error.report ?? error.body ?? null };
  }
  return outcome[name].value;
};
const text = (words) => ({ type: 'doc', version: 1, content: [{ type: 'paragraph', content: [{ type: 'text', text: words }] }] });

await step('serverInfo', async () => (await jira.serverInfo.getServerInfo()).deploymentType);
await step('myself', async () => (await jira.myself.getCurrentUser()).displayName);
await step('fields', async () => (await jira.issueFields.getFields()).length > 10);
await step('statuses', async () => (await jira.workflowStatuses.getStatuses()).length > 5);
await step('types', async () => (await jira.issueTypes.getIssueAllTypes()).length > 5);
await step('links', async () => (await jira.issueLinkTypes.getIssueLinkTypes()).issueLinkTypes.length > 2);
await step('priorities', async () => (await jira.issuePriorities.searchPriorities({})).values.length);
await step('project', async () => (await jira.projects.getProject({ projectIdOrKey: 'OPS' })).key);
await step('projects', async () => (await jira.projects.searchProjects({})).values.length >= 2);
await step('projectStatuses', async () => (await jira.projects.getAllStatuses({ projectIdOrKey: 'ITH' })).length > 2);
const issue = await step('create', async () => await jira.issues.createIssue({
  fields: { project: { key: 'OPS' }, issuetype: { name: 'Bug' }, summary: 'by jira.js', labels: ['js'], description: text('words') },
}));
const key = issue?.key;
await step('get', async () => (await jira.issues.getIssue({ issueIdOrKey: key, expand: 'changelog,transitions,editmeta,names,renderedFields' })).fields.summary);
await step('edit', async () => await jira.issues.editIssue({ issueIdOrKey: key, fields: { summary: 'changed' } }));
await step('search', async () => (await jira.issueSearch.searchAndReconsileIssuesUsingJql({ jql: 'summary ~ changed', fields: ['*all'] })).issues.map((one) => one.key).includes(key));
await step('searchPost', async () => (await jira.issueSearch.searchAndReconsileIssuesUsingJqlPost({ jql: 'summary ~ changed', fields: ['summary'] })).isLast);
await step('count', async () => (await jira.issueSearch.countIssues({ jql: 'summary ~ changed' })).count);
const comment = await step('comment', async () => await jira.issueComments.addComment({ issueIdOrKey: key, body: text('hello') }));
await step('comments', async () => (await jira.issueComments.getComments({ issueIdOrKey: key })).total);
await step('wiki', async () => (await jira.issueComments.addComment({ issueIdOrKey: key, body: '*bold* words' })).body.type);
await step('commentDelete', async () => await jira.issueComments.deleteComment({ issueIdOrKey: key, id: comment.id }));
const moves = await step('transitions', async () => (await jira.issues.getTransitions({ issueIdOrKey: key })).transitions);
await step('transition', async () => await jira.issues.doTransition({ issueIdOrKey: key, transition: { id: moves[0].id } }));
await step('changelog', async () => (await jira.issues.getChangeLogs({ issueIdOrKey: key })).values.length);
await step('bulkChangelog', async () => (await jira.issues.getBulkChangelogs({ issueIdsOrKeys: [key] })).issueChangeLogs.length);
await step('bulkFetch', async () => (await jira.issues.bulkFetchIssues({ issueIdsOrKeys: [key], fields: ['summary'] })).issues.length);
await step('worklog', async () => (await jira.issueWorklogs.addWorklog({ issueIdOrKey: key, timeSpentSeconds: 3600, comment: text('w') })).timeSpent);
await step('property', async () => await jira.issueProperties.setIssueProperty({ issueIdOrKey: key, propertyKey: 'k', body: { a: 1 } }));
await step('propertyGet', async () => (await jira.issueProperties.getIssueProperty({ issueIdOrKey: key, propertyKey: 'k' })).value.a);
await step('remoteLink', async () => (await jira.issueRemoteLinks.createOrUpdateRemoteIssueLink({ issueIdOrKey: key, globalId: 'g', object: { url: 'http://x.test', title: 't' } })).id > 0);
await step('watchers', async () => (await jira.issueWatchers.getIssueWatchers({ issueIdOrKey: key })).watchCount);
await step('votes', async () => (await jira.issueVotes.getVotes({ issueIdOrKey: key })).votes);
await step('meta', async () => (await jira.issues.getCreateIssueMetaIssueTypes({ projectIdOrKey: 'OPS' })).issueTypes.length > 2);
await step('users', async () => (await jira.userSearch.findUsers({ query: 'beth' }))[0].displayName);
await step('members', async () => (await jira.groups.getUsersFromGroup({ groupname: 'CAB Approval' })).total);
await step('permissions', async () => (await jira.permissions.getMyPermissions({ permissions: 'BROWSE_PROJECTS' })).permissions.BROWSE_PROJECTS.havePermission);
await step('info', async () => (await desk.info.getInfo()).isLicensedForUse);
await step('desks', async () => (await desk.servicedesk.getServiceDesks({})).values[0].projectKey);
await step('requestTypes', async () => (await desk.servicedesk.getRequestTypes({ serviceDeskId: '1' })).values.length);
await step('form', async () => (await desk.servicedesk.getRequestTypeFields({ serviceDeskId: '1', requestTypeId: given.change })).requestTypeFields.length > 10);
await step('queues', async () => (await desk.servicedesk.getQueues({ serviceDeskId: '1' })).values.length > 2);
const change = await step('raise', async () => await desk.request.createCustomerRequest({
  serviceDeskId: '1', requestTypeId: given.change, requestFieldValues: { summary: 'a change', customfield_10040: 'the plan' },
}));
const number = change?.issueKey;
await step('request', async () => (await desk.request.getCustomerRequestByIdOrKey({ issueIdOrKey: number })).currentStatus.status);
await step('plan', async () => await jira.issues.doTransition({ issueIdOrKey: number, transition: { id: '11' } }));
await step('gate', async () => await jira.issues.doTransition({ issueIdOrKey: number, transition: { id: '21' } }));
const approvals = await step('approvals', async () => (await desk.request.getApprovals({ issueIdOrKey: number })).values);
await step('approve', async () => (await approver.request.answerApproval({ issueIdOrKey: number, approvalId: approvals[0].id, decision: 'approve' })).finalDecision);
await step('status', async () => (await desk.request.getCustomerRequestStatus({ issueIdOrKey: number })).values[0].status);
await step('sla', async () => (await desk.request.getSlaInformation({ issueIdOrKey: number })).values.length);
await step('requestComment', async () => (await desk.request.createRequestComment({ issueIdOrKey: number, body: 'internal', public: false })).public);
await step('close', async () => {
  await jira.issues.doTransition({ issueIdOrKey: number, transition: { id: '31' } });
  await jira.issues.doTransition({ issueIdOrKey: number, transition: { id: '41' } });
  return (await jira.issues.getIssue({ issueIdOrKey: number })).fields.status.name;
});
const refused = async (name, is, act) => {
  try { await act(); outcome[name] = { ok: false, error: 'no error' }; } catch (error) { outcome[name] = { ok: is(error), error: `${error.name}: ${error.message}` }; }
};
await refused('notFound', isNotFoundError, () => jira.issues.getIssue({ issueIdOrKey: 'NOPE-1' }));
await refused('forbidden', isForbiddenError, () => jira.issues.deleteIssue({ issueIdOrKey: key }));
await refused('unauthenticated', isAuthError, () => createCloudClient({ ...make('admin'), auth: { type: 'basic', email: 'no@example.com', apiToken: 'x' } }).myself.getCurrentUser());
await fetch(`${given.admin}/faults`, { method: 'POST', body: JSON.stringify({ kind: '429', next_n: 1 }) });
await refused('limited', isRateLimitError, () => jira.myself.getCurrentUser());
await step('delete', async () => await admin.issues.deleteIssue({ issueIdOrKey: key }));
console.log(JSON.stringify(outcome));
