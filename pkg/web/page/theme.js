// SPDX-License-Identifier: Apache-2.0
// Before anything is drawn: the theme that was chosen, so that nothing flashes.
'use strict';
try {
  const theme = localStorage.getItem('falco.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch { /* no storage: the system's theme */ }
