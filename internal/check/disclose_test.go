package check

import "testing"

func TestShown(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ name, value, want string }{
		{"PATH", "/usr/bin", "/usr/bin"}, {"API_TOKEN", "hunter2hunter2", "hun... (14 characters)"}, {"com.example.db-password", "hunter2hunter2", "hun... (14 characters)"},
		{"TOKEN_FILE", "/run/token", "/run/token"}, {"NOTE", "key " + awsKey, withheld},
	} {
		if got := ShownVariable(v.name, v.value); got != v.want {
			t.Errorf("%s=%s is shown as %s, expected %s", v.name, v.value, got, v.want)
		}
	}
	for text, want := range map[string]string{
		"COPY . /":                              "COPY . /",
		"RUN DB_PASSWORD='correcthorse' make x": "RUN DB_PASSWORD='cor... (12 characters)' make x",
		`["--password=xx", "x"]`:                `["--password=... (2 characters)", "x"]`,
		"RUN echo " + awsKey:                    withheld,
	} {
		if got := ShownText(text); got != want {
			t.Errorf("%s is shown as %s, expected %s", text, got, want)
		}
	}
}
