package main

import (
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// versionView is the program as --output json shows it.
type versionView struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func (sh *shell) versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "which program this is", Description: "  waybill version\n  waybill version --output json",
		Flags: []cli.Flag{outputFlag()},
		Action: func(c *cli.Context) error {
			if _, err := arguments(c); err != nil {
				return err
			}
			v := versionView{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v.Commit = s.Value
					}
				}
			}
			return sh.print(c, v, func(p *printer) { p.line("waybill %s (%s, %s)", v.Version, v.Go, v.Platform) })
		},
	}
}
