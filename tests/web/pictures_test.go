// SPDX-License-Identifier: Apache-2.0

package web

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FALCO_SHOTS names a folder that gets pictures of all screens: pkg/web/docs is made so.
func TestPictures(t *testing.T) {
	dir := os.Getenv("FALCO_SHOTS")
	if dir == "" {
		t.Skip("FALCO_SHOTS names no folder")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	shots := t.TempDir()
	browse(t, []string{"SHOTS=" + shots}, "pictures.mjs")
	list, err := filepath.Glob(filepath.Join(shots, "*.png"))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 21 {
		t.Errorf("only %d pictures", len(list))
	}
	for _, path := range list {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if text, err = smaller(text); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(path)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// smaller makes a picture of at most 256 colours: those that are most seen, and none that is too near to another.
func smaller(text []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	seen := map[color.Color]int{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			seen[img.At(x, y)]++
		}
	}
	var colours color.Palette
	for c := range seen {
		colours = append(colours, c)
	}
	slices.SortFunc(colours, func(a, b color.Color) int { return cmp.Compare(seen[b], seen[a]) })
	chosen := colours
	for near := 4; len(chosen) > 256; near += 4 {
		chosen = nil
		for _, c := range colours {
			if !slices.ContainsFunc(chosen, func(o color.Color) bool { return distance(c, o) < near*near }) {
				if chosen = append(chosen, c); len(chosen) > 256 {
					break
				}
			}
		}
	}
	out := image.NewPaletted(img.Bounds(), chosen)
	draw.Draw(out, out.Bounds(), img, img.Bounds().Min, draw.Src)
	var b bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, out)
	return b.Bytes(), err
}

// distance is the square of how far two colours are from each other.
func distance(a, b color.Color) int {
	r1, g1, b1, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	r, g, blue := int(r1>>8)-int(r2>>8), int(g1>>8)-int(g2>>8), int(b1>>8)-int(b2>>8)
	return r*r + g*g + blue*blue
}
