// Package nearest guesses which name a writer meant.
package nearest

import "strings"

// Of returns the candidate that the writer of word most likely meant, or "": within two typing errors, or
// one for words below five letters; what Fold takes away does not count.
func Of(word string, candidates []string) string {
	w := Fold(word)
	best, least := "", min(2, (len(w)-1)/2)+1
	for _, c := range candidates {
		if d := distance(w, Fold(c)); d < least {
			best, least = c, d
		}
	}
	return best
}

// Fold leaves of a word what counts: its letters in lower case, without dashes, underscores and dots.
func Fold(s string) string {
	return strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(s))
}

// distance is the number of letters to insert, delete, replace or swap with their neighbour to make b of a
// (Damerau-Levenshtein, optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
