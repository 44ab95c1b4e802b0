"""Domains of mail providers: many people have an address there, so they say nothing of whose customer somebody is."""

from __future__ import annotations

from typing import Final

_DOMAINS: Final = """
gmail.com googlemail.com outlook.com outlook.de outlook.fr hotmail.com hotmail.co.uk hotmail.de hotmail.fr live.com
live.cn live.de msn.com icloud.com me.com mac.com aol.com yahoo.com yahoo.co.jp yahoo.co.uk yahoo.de yahoo.fr ymail.com
mail.com proton.me protonmail.com pm.me tutanota.com zoho.com fastmail.com rediffmail.com
qq.com vip.qq.com foxmail.com 163.com vip.163.com 126.com yeah.net sina.com sina.cn sohu.com 139.com 189.cn 21cn.com
aliyun.com tom.com naver.com daum.net hanmail.net
gmx.com gmx.de gmx.net gmx.at gmx.ch web.de t-online.de freenet.de arcor.de online.de email.de bluewin.ch aon.at
orange.fr wanadoo.fr free.fr laposte.net sfr.fr libero.it virgilio.it tiscali.it btinternet.com seznam.cz wp.pl onet.pl
o2.pl interia.pl mail.ru bk.ru list.ru inbox.ru yandex.ru yandex.com rambler.ru ukr.net abv.bg comcast.net verizon.net
uol.com.br bol.com.br terra.com.br
"""
FREE_MAIL: Final = frozenset(_DOMAINS.split())
