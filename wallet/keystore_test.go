package wallet

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"waybill/crypto"
)

const goldenPassphrase = "correct horse battery staple"

// TestGoldenFiles pins the file format: the same inputs give the same bytes, and a file written long ago still opens.
func TestGoldenFiles(t *testing.T) {
	words, err := ParseWords([]byte(aboutWords))
	if err != nil {
		t.Fatal(err)
	}
	opt := light("golden")
	opt.Account = 3
	f := newFolder(t)
	if _, err := f.Import("farm", words, []byte(goldenPassphrase), opt); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ImportKey("cooler", keyOf(t, "cooler"), []byte(goldenPassphrase), light("golden")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"farm", "cooler"} {
		data, err := os.ReadFile(filepath.Join(f.dir, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "keystore-"+name+".json", data)
		place(t, f, "old", name)
	}
	wantKey, err := words.Key(3)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]crypto.PrivateKey{"farm": wantKey, "cooler": keyOf(t, "cooler")} {
		old := &Folder{dir: filepath.Join(f.dir, "old")}
		w, err := old.Unlock(name, []byte(goldenPassphrase))
		if err != nil {
			t.Fatal(err)
		}
		if w.Key().Bytes() != want.Bytes() || w.Address() != want.Address() || w.PublicKey() != want.Public() || w.Name() != name {
			t.Errorf("%s opened as %v", name, w)
		}
		info, err := old.Info(name)
		if err != nil || info != w.Info() || !info.Light || !info.Created.Equal(testTime) {
			t.Errorf("%s: info %+v (%v), unlocked %+v", name, info, err, w.Info())
		}
		if w.Words().IsZero() != (name == "cooler") {
			t.Errorf("%s: words hidden or invented", name)
		}
	}
}

// place copies a golden file into a folder below f.
func place(t *testing.T, f *Folder, sub, name string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "keystore-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(f.dir, sub)
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name+".json"), data, 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestCreateAndUnlock(t *testing.T) {
	f := newFolder(t)
	pass := []byte("one passphrase")
	w, err := f.Create("farm", pass, light("create"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pass, make([]byte, len(pass))) {
		t.Error("the passphrase was not cleared")
	}
	pass = []byte("one passphrase")
	again, err := f.Unlock("farm", pass)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(pass, make([]byte, len(pass))) {
		t.Error("the passphrase was not cleared when unlocking")
	}
	a, _ := w.Words().Reveal()
	b, _ := again.Words().Reveal()
	if w.Key().Bytes() != again.Key().Bytes() || a != b || a == "" || w.Info() != again.Info() {
		t.Errorf("unlocked %v, created %v", again, w)
	}
	_, err = f.Unlock("farm", []byte("another passphrase"))
	wantKind(t, "wrong passphrase", err, ErrPassphrase)
	_, err = f.Unlock("farm", nil)
	wantKind(t, "no passphrase", err, ErrPassphrase)
	_, err = f.Create("other", nil, light("x"))
	wantKind(t, "empty passphrase", err, ErrPassphrase)
	_, err = f.ImportKey("other", crypto.PrivateKey{}, []byte("p"), light("x"))
	wantKind(t, "no key", err, ErrContent)
	_, err = f.Unlock("nobody", []byte("p"))
	wantKind(t, "no such wallet", err, ErrNotFound)
	if _, err := f.Create("unlucky", []byte("p"), Options{Strength: Light, Random: broken{}}); err == nil {
		t.Error("a wallet without randomness")
	}
	onlyFiles(t, f, "farm.json")
}

// onlyFiles demands that nothing else is in the folder: no refused wallet, no temporary file.
func onlyFiles(t *testing.T, f *Folder, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

// TestFreshRandomness: nothing of one wallet's encryption may come back in another's.
func TestFreshRandomness(t *testing.T) {
	f := newFolder(t)
	var files []*keystoreFile
	for _, name := range []string{"a", "b"} {
		if _, err := f.ImportKey(name, keyOf(t, "same"), []byte("same"), Options{Strength: Light}); err != nil {
			t.Fatal(err)
		}
		file, err := f.read(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if files[0].KDF.Salt == files[1].KDF.Salt || files[0].Cipher.Nonce == files[1].Cipher.Nonce || files[0].Ciphertext == files[1].Ciphertext {
		t.Error("two wallets share salt, nonce or ciphertext")
	}
}

func TestStandardStrength(t *testing.T) {
	if h := Strength(0).header(""); h.N != 1<<17 || h.R != 8 || h.P != 1 || h.Light {
		t.Errorf("the zero Strength is %+v", h)
	}
	if testing.Short() {
		t.Skip("128 MiB of scrypt")
	}
	f := newFolder(t)
	w, err := f.ImportKey("strong", keyOf(t, "strong"), []byte("p"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w.Info().Light || w.Info().Created.IsZero() {
		t.Errorf("info %+v", w.Info())
	}
	file, err := f.read("strong")
	if err != nil || file.KDF.N != standardN {
		t.Errorf("n=%d (%v), want %d", file.KDF.N, err, standardN)
	}
}

// TestTampering changes one thing at a time in a good file.
func TestTampering(t *testing.T) {
	f := newFolder(t)
	if _, err := f.Create("farm", []byte("p"), light("tamper")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.dir, "farm.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := keyOf(t, "other")
	set := func(field string, v any) func(m map[string]any) { return func(m map[string]any) { m[field] = v } }
	kdf := func(field string, v any) func(m map[string]any) {
		return func(m map[string]any) { m["kdf"].(map[string]any)[field] = v }
	}
	flip := func(part, field string) func(m map[string]any) {
		return func(m map[string]any) {
			if part != "" {
				m = m[part].(map[string]any)
			}
			s := []byte(m[field].(string))
			if s[0] != '0' {
				s[0] = '0'
			} else {
				s[0] = '1'
			}
			m[field] = string(s)
		}
	}
	for _, c := range []struct {
		name   string
		change func(m map[string]any)
		kind   Kind
	}{
		{"ciphertext", flip("", "ciphertext"), ErrPassphrase},
		{"salt", flip("kdf", "salt"), ErrPassphrase},
		{"nonce", flip("cipher", "nonce"), ErrPassphrase},
		{"time of creation", set("created", "2020-01-01T00:00:00Z"), ErrPassphrase},
		{"account and path", func(m map[string]any) { m["account"], m["path"] = 1, AccountPath(1) }, ErrPassphrase},
		{"key and address of somebody else", func(m map[string]any) {
			m["publicKey"], m["address"] = other.Public().String(), other.Address().String()
		}, ErrPassphrase},
		{"stronger scrypt", kdf("n", 1<<13), ErrPassphrase},
		{"light denied", kdf("light", false), ErrKeyDeriving},
		{"scrypt below the lowest", kdf("n", 1<<11), ErrKeyDeriving},
		{"scrypt n=1", kdf("n", 1), ErrKeyDeriving},
		{"scrypt n=0", kdf("n", 0), ErrKeyDeriving},
		{"scrypt n negative", kdf("n", -4096), ErrKeyDeriving},
		{"scrypt n no power of two", kdf("n", 5000), ErrKeyDeriving},
		{"absurd scrypt n", kdf("n", 1<<21), ErrKeyDeriving},
		{"more absurd scrypt n", kdf("n", 1<<40), ErrKeyDeriving},
		{"absurd scrypt r", kdf("r", 1<<20), ErrKeyDeriving},
		{"absurd scrypt p", kdf("p", 1<<20), ErrKeyDeriving},
		{"other derivation", kdf("name", "pbkdf2"), ErrKeyDeriving},
		{"short salt", kdf("salt", "00"), ErrFile},
		{"salt is no hex", kdf("salt", strings.Repeat("zz", saltSize)), ErrFile},
		{"n is text", kdf("n", "4096"), ErrFile},
		{"other format", set("format", "age"), ErrFile},
		{"newer version", set("version", 2), ErrFile},
		{"other cipher", func(m map[string]any) { m["cipher"].(map[string]any)["name"] = "none" }, ErrFile},
		{"short nonce", func(m map[string]any) { m["cipher"].(map[string]any)["nonce"] = "00" }, ErrFile},
		{"empty ciphertext", set("ciphertext", ""), ErrPassphrase},
		{"ciphertext upper case", func(m map[string]any) { m["ciphertext"] = strings.ToUpper(m["ciphertext"].(string)) + "AB" }, ErrFile},
		{"address alone", set("address", other.Address().String()), ErrFile},
		{"path of another account", set("path", AccountPath(7)), ErrFile},
		{"another name", set("name", "barn"), ErrFile},
		{"name with a slash", set("name", "../farm"), ErrFile},
		{"unknown field", set("comment", "hello"), ErrFile},
	} {
		var m map[string]any
		if err := json.Unmarshal(good, &m); err != nil {
			t.Fatal(err)
		}
		c.change(m)
		bad, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := f.Unlock("farm", []byte("p"))
		wantKind(t, c.name, err, c.kind)
		if w != nil {
			t.Errorf("%s: opened", c.name)
		}
	}
	for name, data := range map[string][]byte{
		"empty": {}, "not JSON": []byte("age-encryption.org/v1"), "list": []byte("[]"), "two objects": append(good[:len(good):len(good)], good...),
		"huge": append(good[:len(good):len(good)], bytes.Repeat([]byte(" "), maxKeystoreSize)...), "cut off": good[:len(good)/2],
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := f.Unlock("farm", []byte("p"))
		wantKind(t, name, err, ErrFile)
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Unlock("farm", []byte("p")); err != nil {
		t.Errorf("the good file: %v", err)
	}
}

// TestForgedSecret: a file whose ciphertext is right but holds something else than its header names.
func TestForgedSecret(t *testing.T) {
	key := keyOf(t, "victim")
	h := header{Name: "farm", Address: key.Address(), PublicKey: key.Public(), Created: "2026-05-01T08:00:00Z"}
	other := keyOf(t, "other").Bytes()
	for name, c := range map[string]struct {
		secret []byte
		kind   error
	}{
		"another key":  {append([]byte{secretKey}, other[:]...), ErrFile},
		"other words":  {append([]byte{secretWords}, make([]byte, 16)...), ErrFile},
		"nothing":      {nil, ErrFile},
		"unknown kind": {[]byte{9, 1}, ErrFile},
		"short key":    {[]byte{secretKey, 1}, crypto.ErrKey},
		"zero key":     {append([]byte{secretKey}, make([]byte, 32)...), crypto.ErrKey},
		"odd words":    {[]byte{secretWords, 1}, ErrWords},
	} {
		data, err := seal(h, c.secret, []byte("p"), Light, &stream{seed: name})
		if err != nil {
			t.Fatal(err)
		}
		file, err := parseKeystore(data)
		if err != nil {
			t.Fatal(err)
		}
		_, err = file.open([]byte("p"))
		wantKind(t, name, err, c.kind)
	}
}

func TestPermissions(t *testing.T) {
	f := newFolder(t)
	if _, err := f.Create("farm", []byte("p"), light("permissions")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.dir, "farm.json")
	for what, want := range map[string]os.FileMode{path: 0o600, f.dir: 0o700} {
		info, err := os.Stat(what)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o (%v), want %04o", what, info.Mode().Perm(), err, want)
		}
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o620, 0o602, 0o601, 0o610, 0o666} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := f.Unlock("farm", []byte("p"))
		wantKind(t, mode.String(), err, ErrPermissions)
		_, err = f.List()
		wantKind(t, mode.String(), err, ErrPermissions)
	}
	for _, mode := range []os.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Unlock("farm", []byte("p")); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	if err := os.Symlink(path, filepath.Join(f.dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	_, err := f.Unlock("link", []byte("p"))
	wantKind(t, "symbolic link", err, ErrFile)
	if err := os.Mkdir(filepath.Join(f.dir, "dir.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = f.Unlock("dir", []byte("p"))
	wantKind(t, "folder", err, ErrFile)
}

func TestNeverOverwritten(t *testing.T) {
	f := newFolder(t)
	if _, err := f.Create("farm", []byte("p"), light("first")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.dir, "farm.json")
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Create("farm", []byte("q"), light("second"))
	wantKind(t, "create", err, ErrExists)
	_, err = f.ImportKey("farm", keyOf(t, "x"), []byte("q"), light("second"))
	wantKind(t, "import", err, ErrExists)
	// The look before the slow derivation is a courtesy; the write itself has to refuse as well.
	if err := writeNew(path, []byte("other")); !errors.Is(err, os.ErrExist) {
		t.Errorf("writing over a wallet: %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the wallet changed (%v)", err)
	}
	onlyFiles(t, f, "farm.json")
	if err := writeNew(filepath.Join(f.dir, "none", "x.json"), []byte("x")); err == nil {
		t.Error("wrote into a folder that is not there")
	}
}

// TestRace: of many who create one name at once, one does, and its file is whole.
func TestRace(t *testing.T) {
	f := newFolder(t)
	const n = 8
	var wg sync.WaitGroup
	wallets, errs := make([]*Wallet, n), make([]error, n)
	for i := range n {
		wg.Go(func() {
			wallets[i], errs[i] = f.Create("farm", []byte("p"), Options{Strength: Light})
		})
	}
	wg.Wait()
	var won *Wallet
	for i := range n {
		switch {
		case errs[i] == nil && won == nil:
			won = wallets[i]
		case errs[i] == nil:
			t.Error("two created the same wallet")
		default:
			wantKind(t, "loser", errs[i], ErrExists)
		}
	}
	w, err := f.Unlock("farm", []byte("p"))
	if err != nil || won == nil || w.Address() != won.Address() {
		t.Errorf("opened %v (%v), want the winner's %v", w, err, won)
	}
	onlyFiles(t, f, "farm.json")
}

func TestNamesAndList(t *testing.T) {
	f := newFolder(t)
	for _, name := range []string{"", ".", "..", "a/b", "A", "-a", ".a", "a b", "ä", strings.Repeat("a", 65), "a\x00"} {
		_, err := f.Create(name, []byte("p"), light("names"))
		wantKind(t, name, err, ErrName)
		_, err = f.Unlock(name, []byte("p"))
		wantKind(t, name, err, ErrName)
	}
	for _, name := range []string{"farm-2", "0", strings.Repeat("a", 64), "a.b_c"} {
		if _, err := f.Create(name, []byte("p"), light(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ignored := range []string{"notes.txt", "UPPER.json"} {
		if err := os.WriteFile(filepath.Join(f.dir, ignored), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, info := range list {
		names = append(names, info.Name)
		if info.Address != info.PublicKey.Address() || info.Path != AccountPath(0) {
			t.Errorf("info %+v", info)
		}
	}
	if got, want := strings.Join(names, " "), "0 a.b_c "+strings.Repeat("a", 64)+" farm-2"; got != want {
		t.Errorf("listed %s, want %s", got, want)
	}
	// A wallet that cannot be read fails the list: a shorter one would look like a lost wallet.
	if err := os.WriteFile(filepath.Join(f.dir, "bad.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = f.List()
	wantKind(t, "list with a damaged wallet", err, ErrFile)
}
