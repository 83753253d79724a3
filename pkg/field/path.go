// SPDX-License-Identifier: Apache-2.0

package field

import "strings"

// maxPath bounds a path that is made of two: what would be longer becomes tooLong.
const maxPath = 4096

const tooLong = "/DIR_TOO_LONG/FILENAME_TOO_LONG"

// unknownDir stands for a directory that nobody knows.
const unknownDir = "<UNKNOWN>"

// appendPath appends path as it is seen from the directory base: absolute ones
// ignore it. The result is normalised (state.md §7.2): no empty component, no
// "." and no "..", no slash at its end. The base is taken as it is.
func appendPath(buf []byte, base, path string) []byte {
	if path == "" {
		return buf
	}
	if len(base)+len(path)+1 > maxPath {
		return append(buf, tooLong...)
	}
	start := len(buf)
	if path[0] == '/' {
		buf = append(buf, '/')
	} else {
		buf = append(buf, base...)
		if base != "" && base != unknownDir && !strings.HasSuffix(base, "/") {
			buf = append(buf, '/')
		}
	}
	for path != "" {
		var part string
		part, path, _ = strings.Cut(path, "/")
		switch part {
		case "", ".":
		case "..":
			buf = dropLast(buf, start)
		default:
			if n := len(buf); n > start && buf[n-1] != '/' && string(buf[start:]) != unknownDir {
				buf = append(buf, '/')
			}
			buf = append(buf, part...)
		}
	}
	if n := len(buf); n > start+1 && buf[n-1] == '/' {
		buf = buf[:n-1]
	}
	return buf
}

// dropLast removes the last component from buf, but nothing before start and
// not the slash that an absolute path begins with.
func dropLast(buf []byte, start int) []byte {
	n := len(buf)
	if n > start+1 && buf[n-1] == '/' {
		n--
	}
	for n > start && buf[n-1] != '/' {
		n--
	}
	if n == start && len(buf) > start && buf[start] == '/' {
		n++
	}
	return buf[:n]
}
