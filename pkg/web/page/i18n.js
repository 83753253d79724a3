// SPDX-License-Identifier: Apache-2.0
// Languages. English is written where it is used; the others are here.

export const languages = {en: 'English', zh: '中文'};

const zh = {
  Overview: '总览', Events: '事件', events: '个事件', Rules: '规则', Outputs: '输出', Sensors: '传感器', Settings: '设置', Screens: '页面', 'Skip to content': '跳到内容', 'no log-in': '未登录', 'Log out': '退出登录', Keys: '快捷键', Search: '搜索', Clear: '清除',
  'Search: words, "phrases", rule:Terminal*, priority>=error, -host:node-1': '搜索：词语、"短语"、rule:Terminal*、priority>=error、-host:node-1', 'at {n}: {what}': '第 {n} 个字符：{what}', 'The server does not answer': '服务器没有响应', 'Try again': '重试', 'That did not work': '操作失败',
  Last: '最近', now: '现在', s: '秒', m: '分钟', min: '分钟', h: '小时', d: '天', w: '周', M: '个月', y: '年', ago: '前', From: '从', To: '到', Apply: '应用', Time: '时间', 'From lies behind to': '开始时间晚于结束时间',
  'The disk of the store is full: new events wait at the forwarder.': '存储磁盘已满：新事件在转发器处等待。',
  search: '搜索', 'next and previous event': '下一个／上一个事件', 'open the event': '打开事件', 'choose the event': '选择事件', 'acknowledge what is chosen': '确认所选', 'live on or off': '实时开／关', overview: '总览', rules: '规则', outputs: '输出', sensors: '传感器', settings: '设置', 'light or dark': '浅色／深色', close: '关闭', this: '本帮助',
  User: '用户', Password: '密码', 'Password (8 letters or more)': '密码（至少 8 个字符）', 'Log in': '登录', 'Log in to see what Falco has seen.': '登录以查看 Falco 的发现。', 'Log in with single sign-on': '单点登录', 'The identity provider did not let you in.': '身份提供方拒绝了登录。', 'The name or the password is wrong.': '用户名或密码错误。', 'Too many wrong passwords: wait a minute.': '密码错误次数过多：请等待一分钟。', 'Make the first user. From then on one logs in, and the page may be reached from other machines.': '创建第一个用户。此后需要登录，其他机器也可访问本页面。', 'Make the user': '创建用户',
  Emergency: '紧急', Alert: '警报', Critical: '严重', Error: '错误', Warning: '警告', Notice: '通知', Informational: '信息', Debug: '调试',
  Namespace: '命名空间', Pod: 'Pod', Image: '镜像', Tag: '标签', Priority: '优先级', Rule: '规则', Source: '来源', Host: '主机',
  'Events over time': '事件趋势', 'Split by': '分组', 'Top rules': '最多的规则', Hosts: '主机', Namespaces: '命名空间', Images: '镜像', 'MITRE ATT&CK and tags': 'MITRE ATT&CK 与标签', Tactics: '战术', Techniques: '技术', Tags: '标签', 'Rules first seen in the last day': '近一天首次出现的规则', 'Critical and above': '严重及以上', 'Hosts reporting': '上报主机', 'Outputs failing': '故障输出', 'Lost by sensors': '传感器丢失', waiting: '等待中', 'no forwarder': '无转发器', 'named by the forwarder': '由转发器告知', down: '离线', up: '在线', 'of none': '无数据', 'no numbers yet': '暂无数据', 'none in the time before': '此前为零', 'from {n}': '此前 {n}', 'Before: as long a time': '此前：同样长的时段', none: '无', nothing: '无', new: '新', others: '其他', partial: '部分结果', since: '自', 'Nothing was found in five seconds': '五秒内没有找到', 'A shorter time, or fewer conditions on fields, take less.': '缩短时段或减少字段条件会更快。', 'The answer took longer than five seconds: what is older was not counted.': '查询超过五秒：更早的事件未计入。',
  Copied: '已复制', Copy: '复制', 'No event has come yet': '还没有事件', 'This page fills as soon as a forwarder or a daemon posts alerts here. Three ways to see it work:': '转发器或守护进程一旦发来告警，本页面就会显示。三种试用方法：', 'Send one by hand': '手动发送一个', 'Let the daemon send its alerts to the forwarder (falco.yaml)': '让守护进程把告警发给转发器（falco.yaml）', 'Set a rule off: read a file that nobody should': '触发一条规则：读取不该读的文件',
  Filters: '筛选', 'No event fits': '没有符合的事件', 'Nothing in this time fulfils all conditions.': '此时段内没有事件满足所有条件。', 'Clear all filters': '清除所有筛选', 'Clear all': '全部清除', Remove: '移除', Exclude: '排除', 'Exclude {what}': '排除 {what}', '{n} new': '{n} 个新事件', '{n} not shown': '{n} 个未显示', 'Too many came at once: they are stored, and shown when the list is read again.': '同时到达的事件过多：已存储，重新加载列表后可见。', Paused: '已暂停', Reconnecting: '正在重连', Live: '实时', Density: '密度', compact: '紧凑', cosy: '标准', wrap: '换行', Group: '合并', 'One row for the same rule, host and process': '相同规则、主机和进程合为一行', Columns: '列', Export: '导出', 'Output fields': '输出字段', Choose: '选择', 'Saved views': '已存视图', 'No view has been saved.': '还没有保存的视图。', 'Name of this view': '视图名称', 'for all': '共享', '{n} chosen': '已选 {n} 个', Acknowledge: '确认', Close: '关闭', 'False positive': '误报', 'Back to the newest': '回到最新', '{n} events: {state}': '{n} 个事件：{state}', acknowledged: '已确认', closed: '已关闭', 'false-positive': '误报',
  Event: '事件', Previous: '上一个', Next: '下一个', 'Copy link': '复制链接', 'Link copied': '链接已复制', 'This event is not in the store (any more).': '该事件不在存储中（或已清理）。', State: '状态', Note: '备注', Save: '保存', Saved: '已保存', by: '由', 'Who started whom': '进程谱系', Where: '位置', 'Show only these': '只看这些', Process: '进程', 'File and network': '文件与网络', Container: '容器', Kubernetes: 'Kubernetes', Other: '其他', Deliveries: '投递', delivered: '已投递', failed: '失败', 'Around it (same pod, container or process, five minutes)': '前后五分钟（同一 Pod、容器或进程）', 'Make an exception': '生成例外', 'If this is expected, add it to your local rules and adjust what has to be equal:': '如果这是预期行为，请加入本地规则并按需调整：', Raw: '原始数据',
  Refresh: '刷新', 'Refresh now': '立即刷新', Off: '关闭', 'Every {time}': '每 {time}', 'read again': '重新读取',
  Cost: '开销', 'What the condition takes on one event, evaluated by itself, and its share of what all rules take: estimated by the daemons, from samples': '单独求值时条件在一个事件上的用时，及其占所有规则用时的份额：由守护进程抽样估算',
  'Filter rules': '筛选规则', Show: '显示', all: '全部', matched: '有匹配', silent: '无匹配', '{n} rules, {m} of them silent in this time': '{n} 条规则，其中 {m} 条在此时段无匹配', Matches: '匹配次数', Noise: '占比', 'Of all events in this time': '占此时段全部事件的比例', 'Over time': '趋势', 'Last match': '最近匹配', never: '从未', 'No rule': '没有规则', 'Rules appear when they match, or when a daemon that this page asks for numbers has loaded them.': '规则在匹配后，或在本页面查询的守护进程加载后显示。',
  Output: '输出', Waiting: '等待', Oldest: '最早', Sent: '已发送', Retried: '重试', 'Given up': '放弃', Test: '测试', Pause: '暂停', Resume: '恢复', ok: '正常', failing: '故障', paused: '已暂停', idle: '空闲', 'A test event is on its way to {name}': '测试事件已发往 {name}', '{name} sends again': '{name} 已恢复发送', '{name} is paused: events wait': '{name} 已暂停：事件等待中', 'Given up by {name}': '{name} 放弃的事件', 'Send once more': '重新发送', 'What was given up goes to {name} once more': '已重新发往 {name}', 'The forwarder is another program': '转发器是另一个程序', 'No output is set up': '未配置输出', 'It posts to this page and also sends to: {names}. Their state is known to it alone.': '它向本页面发送事件，同时还发往：{names}。其状态只有它自己知道。', 'Alerts can also go to Slack, Kafka, a webhook and some sixty others: name them in the configuration of falcosidekick, and their state is shown here.': '告警还可以发往 Slack、Kafka、Webhook 等六十余种目标：在 falcosidekick 的配置中指定后，其状态显示在这里。',
  'Events a second': '事件／秒', Lost: '丢失', Alerts: '告警', CPU: 'CPU', Memory: '内存', Threads: '线程', Behind: '滞后', 'Last word': '最近上报', Share: '占比', Rings: '环形缓冲区', 'Lost event': '丢失的事件', Cause: '原因', Count: '数量', 'Nothing was lost.': '没有丢失。', 'Hosts that send events only': '仅发送事件的主机', 'Last event': '最近事件', 'No daemon has told its numbers yet': '还没有守护进程上报数据', 'Events per second, what was lost and why, rings and memory come from the daemon. Either let it write snapshots as events, or name its metrics page to the forwarder:': '每秒事件数、丢失数量与原因、缓冲区和内存来自守护进程。可让它以事件形式写出快照，或把它的指标页面告诉转发器：',
  Look: '外观', Theme: '主题', Auto: '自动', Light: '浅色', Dark: '深色', Language: '语言', Times: '时间', Local: '本地', 'What is kept': '保留策略', Size: '大小', Age: '时长', Store: '存储', 'Oldest event': '最早事件', Pruned: '已清理', 'for ever': '永久', 'Accepted since the start': '启动以来接收', Refused: '拒绝', About: '关于', Version: '版本', Running: '运行时间', 'Looking on': '在线查看', 'API document (OpenAPI)': 'API 文档（OpenAPI）', Access: '访问', 'No user has been made: everybody on this machine may read, and nobody may change anything. The log of falcosidekick has a link that makes the first user.': '尚未创建用户：本机任何人可读，任何人都不能更改。falcosidekick 的日志中有创建第一个用户的链接。', Users: '用户', 'Tokens of programs': '程序令牌', Name: '名称', Role: '角色', Add: '添加', viewer: '查看者', analyst: '分析员', admin: '管理员', ingest: '写入', page: '页面', configuration: '配置', 'The token is shown once: copy it now.': '令牌只显示一次：请立即复制。', 'Who has done what': '操作记录',
};

let chosen = null;

export function language() {
  if (!chosen) {
    try { chosen = localStorage.getItem('falco.language'); } catch { /* none */ }
    if (!languages[chosen]) chosen = navigator.languages.some(l => l.startsWith('zh')) && !navigator.languages[0].startsWith('en') ? 'zh' : 'en';
  }
  return chosen;
}

export function setLanguage(name) {
  chosen = name;
  try { localStorage.setItem('falco.language', name); } catch { /* for this visit */ }
}

// t returns a text in the language of the page, with {names} replaced.
export function t(text, values) {
  let out = (language() === 'zh' && Object.hasOwn(zh, text) && zh[text]) || text;
  for (const [key, value] of Object.entries(values || {})) out = out.replace('{' + key + '}', () => value);
  return out;
}

// label names a dimension or a column; fields have their own names.
const labels = {priority: 'Priority', rule: 'Rule', host: 'Host', hostname: 'Host', source: 'Source', ns: 'Namespace', pod: 'Pod', image: 'Image', tag: 'Tag', tags: 'Tags', state: 'State', time: 'Time', output: 'Event'};
export const label = name => Object.hasOwn(labels, name) ? t(labels[name]) : name;

export const translated = zh;
