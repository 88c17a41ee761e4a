package page_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// browser is a headless Chromium that is told what to do over two pipes, in the words
// of the Chrome DevTools Protocol: objects of JSON that end in a zero byte. That is
// little enough to say here, and needs no client library.
type browser struct {
	t       testing.TB
	out     *os.File
	session string

	mu      sync.Mutex
	id      int
	waiting map[int]chan answer
	events  []event
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

type event struct {
	Method string
	Params json.RawMessage
}

// openBrowser starts Chromium, or skips the test.
func openBrowser(t testing.TB) *browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("SKIPPED: needs a linux with chromium (headless browser)")
	}
	home := t.TempDir()
	cmd := exec.Command(program, "--headless", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--remote-debugging-pipe", "--user-data-dir="+filepath.Join(home, "profile"), "about:blank")
	if os.Geteuid() == 0 {
		cmd.Args = append(cmd.Args, "--no-sandbox") // Chromium's own does not start as root
	}
	cmd.Env = append(os.Environ(), "HOME="+home)
	in, ours, err := os.Pipe()
	must(t, err)
	theirs, out, err := os.Pipe()
	must(t, err)
	cmd.ExtraFiles = []*os.File{in, out} // 3 and 4
	must(t, cmd.Start())
	in.Close()
	out.Close()
	b := &browser{t: t, out: ours, waiting: map[int]chan answer{}}
	go b.read(theirs)
	t.Cleanup(func() {
		b.call("Browser.close", nil)
		ours.Close()
		cmd.Wait()
	})
	return b
}

func (b *browser) read(from *os.File) {
	for r := bufio.NewReader(from); ; {
		text, err := r.ReadBytes(0)
		if err != nil {
			return
		}
		var m struct {
			ID int
			answer
			event
		}
		if json.Unmarshal(text[:len(text)-1], &m) != nil {
			continue
		}
		b.mu.Lock()
		if m.ID == 0 {
			b.events = append(b.events, m.event)
		} else if c := b.waiting[m.ID]; c != nil {
			delete(b.waiting, m.ID)
			c <- m.answer
		}
		b.mu.Unlock()
	}
}

// call calls a method and returns what it answers.
func (b *browser) call(method string, params map[string]any) json.RawMessage {
	b.t.Helper()
	b.mu.Lock()
	b.id++
	message := map[string]any{"id": b.id, "method": method, "params": params}
	if b.session != "" && !strings.HasPrefix(method, "Target.") && !strings.HasPrefix(method, "Browser.") {
		message["sessionId"] = b.session
	}
	c := make(chan answer, 1)
	b.waiting[b.id] = c
	b.mu.Unlock()
	text, err := json.Marshal(message)
	must(b.t, err)
	_, err = b.out.Write(append(text, 0))
	must(b.t, err)
	select {
	case a := <-c:
		if a.Error != nil {
			b.t.Fatalf("%s: %s", method, a.Error.Message)
		}
		return a.Result
	case <-time.After(time.Minute):
		b.t.Fatalf("%s: the browser does not answer", method)
	}
	return nil
}

// look is how a page is looked at.
type look struct {
	width, height int // default 1280 by 900
	dark          bool
	noScript      bool
	print         bool
}

// open opens a file in a new tab and waits until it is there.
func (b *browser) open(file string, l look) {
	b.t.Helper()
	b.session = ""
	var target struct{ TargetID, SessionID string }
	must(b.t, json.Unmarshal(b.call("Target.createTarget", map[string]any{"url": "about:blank"}), &target))
	must(b.t, json.Unmarshal(b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}), &target))
	b.session = target.SessionID
	b.mu.Lock()
	b.events = nil
	b.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil)
	}
	if l.width == 0 {
		l.width, l.height = 1280, 900
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": l.width, "height": l.height, "deviceScaleFactor": 1, "mobile": l.width < 600})
	scheme := "light"
	if l.dark {
		scheme = "dark"
	}
	media := map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}}}
	if l.print {
		media["media"] = "print"
	}
	b.call("Emulation.setEmulatedMedia", media)
	b.call("Emulation.setScriptExecutionDisabled", map[string]any{"value": l.noScript})
	b.call("Page.navigate", map[string]any{"url": "file://" + file})
	ready := "document.readyState === 'complete' && location.protocol === 'file:' && document.documentElement.dataset.ready !== undefined"
	if l.noScript {
		ready = "document.readyState === 'complete' && location.protocol === 'file:'"
	}
	b.wait(ready)
}

// wait waits until an expression holds.
func (b *browser) wait(expression string) {
	b.t.Helper()
	for range 1200 {
		if b.eval(expression) == "true" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("it never holds that %s; the page says %s", expression, b.complaints())
}

// eval returns what an expression of JavaScript is, as JSON.
func (b *browser) eval(expression string) string {
	b.t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	must(b.t, json.Unmarshal(b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}), &r))
	if r.ExceptionDetails != nil {
		b.t.Fatalf("%s: %s", expression, r.ExceptionDetails)
	}
	return string(r.Result.Value)
}

// expect compares what an expression is.
func (b *browser) expect(expression, want string) {
	b.t.Helper()
	if got := b.eval(expression); got != want {
		b.t.Errorf("%s\n  is       %s\n  expected %s", expression, got, want)
	}
}

// keys presses keys by name, such as "Tab" or "ArrowDown".
func (b *browser) keys(names ...string) {
	b.t.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
	for _, name := range names {
		text := map[string]string{"Enter": "\r", " ": " "}[name]
		if len(name) == 1 {
			text = name
		}
		b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": name, "text": text, "windowsVirtualKeyCode": codes[name]})
		b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "windowsVirtualKeyCode": codes[name]})
	}
}

// typeInto puts text into the field that a selector finds, as somebody types it.
func (b *browser) typeInto(selector, text string) {
	b.t.Helper()
	b.eval(fmt.Sprintf("document.querySelector(%q).focus()", selector))
	b.call("Input.insertText", map[string]any{"text": text})
}

// complaints are errors, violations of the policy, what is on the console, and what the
// page asked the network for beyond itself.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []string
	for _, e := range b.events {
		switch e.Method {
		case "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Page.javascriptDialogOpening":
			list = append(list, e.Method+" "+string(e.Params))
		case "Network.requestWillBeSent":
			var p struct{ Request struct{ URL string } }
			json.Unmarshal(e.Params, &p)
			if !strings.HasPrefix(p.Request.URL, "file:///") && !strings.HasPrefix(p.Request.URL, "data:") {
				list = append(list, "request "+p.Request.URL)
			}
		}
	}
	return list
}

func (b *browser) quiet() {
	b.t.Helper()
	for _, c := range b.complaints() {
		b.t.Errorf("the page complains: %.600s", c)
	}
}

// picture returns a PNG of what is seen.
func (b *browser) picture() []byte { return b.data("Page.captureScreenshot", nil) }

// pdf returns the page as it is printed.
func (b *browser) pdf() []byte {
	return b.data("Page.printToPDF", map[string]any{"printBackground": false, "preferCSSPageSize": true})
}

func (b *browser) data(method string, params map[string]any) []byte {
	b.t.Helper()
	var r struct{ Data string }
	must(b.t, json.Unmarshal(b.call(method, params), &r))
	data, err := base64.StdEncoding.DecodeString(r.Data)
	must(b.t, err)
	return data
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
