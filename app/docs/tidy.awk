# SPDX-License-Identifier: BSD-3-Clause
# From the roff of scdoc to roff that mandoc -Tlint has nothing to say about: no
# paragraph without text, the page's title in capitals.

/^\.TH / {
	n = split($0, word, "\"")
	word[2] = toupper(word[2])
	line = word[1]
	for (i = 2; i <= n; i++)
		line = line "\"" word[i]
	print line
	begun = 1
	next
}

/^\.P$/ {
	waits = 1
	next
}

# Nothing of a paragraph: what came before .RE, or comes behind a heading, begins none.
/^\.(SH|SS|RE)/ {
	waits = 0
	print
	begun = !/^\.RE/
	next
}

{
	if (waits && !begun)
		print ".P"
	waits = begun = 0
	print
}
